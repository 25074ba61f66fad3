import { act, byId, call, setText } from './dom.js'
import { clock, reasonText, span } from './words.js'

const STATES = {
  open: 'open',
  held: 'held',
  probing: 'held, a probe is on its way',
}

/** The banner, and holding and opening the lane by hand. */
export class LanePanel {
  #lane

  constructor() {
    const result = byId('lane-result')
    byId('hold-form').addEventListener('submit', (event) => {
      event.preventDefault()
      const input = byId('hold-why')
      void act(event.submitter, result, async () => {
        await call('POST', '/v1/lane/hold', { why: input.value })
        input.value = ''
        return 'The lane is held. Updates are still taken in.'
      })
    })
    byId('open-form').addEventListener('submit', (event) => {
      event.preventDefault()
      const accept = byId('open-accept').checked ? stormOf(this.#lane) : null
      void act(event.submitter, result, async () => {
        await call('POST', '/v1/lane/open', accept === null ? {} : { accept })
        return 'The lane is open.'
      })
    })
    setInterval(() => this.#tick(), 1_000)
  }

  setQueue(queueName) {
    byId('paused-link').href = `/dashboard/queue/${encodeURIComponent(queueName)}`
  }

  show(lane, isPaused) {
    const changed = this.#lane?.state !== lane.state || this.#lane?.reason !== lane.reason
    this.#lane = lane
    const isClosed = lane.state !== 'open'
    const isOnlyPaused = isPaused && !isClosed
    setText(byId('lane-state'), isOnlyPaused ? 'open, but the queue is paused' : STATES[lane.state])
    byId('lane-state').dataset.state = isOnlyPaused ? 'paused' : lane.state
    byId('paused-banner').hidden = !isPaused
    this.#banner(lane)
    if (!changed) return
    byId('banner').hidden = !isClosed
    byId('open-form').hidden = !isClosed
    byId('hold-form').hidden = isClosed && lane.reason === 'operator'
    const storm = stormOf(lane)
    byId('accept-row').hidden = storm === null
    byId('open-accept').checked = false
    setText(byId('accept-reason'), storm ?? '')
  }

  /** Nobody can look at it now. What closed it, as far as is known, stays to be read. */
  showUnknown() {
    setText(byId('lane-state'), 'not known now')
    byId('lane-state').dataset.state = 'unknown'
  }

  #banner({ state, reason, detail, sinceMs }) {
    if (state === 'open') return
    const isByHand = reason === 'operator'
    setText(
      byId('banner-state'),
      state === 'probing' ? 'Nothing is sent, a probe is on its way: ' : 'Nothing is sent: ',
    )
    setText(byId('banner-reason'), isByHand ? 'an operator holds the lane' : reasonText(reason ?? 'held'))
    setText(byId('banner-detail'), detail ?? '')
    setText(byId('banner-since'), sinceMs === null ? '' : `Since ${clock(sinceMs)}.`)
    this.#tick()
  }

  /** What counts down is not read out each second. */
  #tick() {
    const { state, untilMs } = this.#lane ?? { state: 'open' }
    if (state === 'open') return
    const left = untilMs === null ? null : untilMs - Date.now()
    const until =
      left === null
        ? 'Until an operator opens it.'
        : left > 0
          ? `Until ${clock(untilMs)}, in ${span(left)}; then one request probes.`
          : 'The wait is over; one request probes.'
    setText(byId('banner-until'), until)
  }
}

function stormOf(lane) {
  return lane?.reason?.startsWith('storm:') ? lane.reason.slice('storm:'.length) : null
}
