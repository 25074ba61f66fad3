import { expect, test } from 'vitest'
import { linksTo, parseOrigin } from '../../../src/tracing/origin.js'

const TRACE_ID = '0af7651916cd43dd8448eb211c80319c'
const SPAN_ID = 'b7ad6b7169203331'

test('an origin names a span', () => {
  expect(parseOrigin(`00-${TRACE_ID}-${SPAN_ID}-01`)).toEqual({
    traceId: TRACE_ID,
    spanId: SPAN_ID,
    traceFlags: 1,
    isRemote: true,
  })
})

test.each(['', 'x', `00-${'0'.repeat(32)}-${SPAN_ID}-01`, `00-${TRACE_ID}-${SPAN_ID}`])(
  '"%s" names none, and is passed over',
  (origin) => {
    expect(parseOrigin(origin)).toBeUndefined()
    expect(linksTo([origin])).toEqual([])
  },
)
