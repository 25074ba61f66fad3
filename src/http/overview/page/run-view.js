import { make } from './dom.js'
import { ageOf, plural, reasonText, span } from './words.js'

/** Characters. What is longer is shown when it is asked for. */
const LONG = 160

/** What is known of a run, in a sentence. */
export function summary({ runId, pending, lastSent, deadLetters }) {
  if (!pending && !lastSent && deadLetters.length === 0) {
    return `Nothing is known of ${runId}: nothing is pending, and what was sent is forgotten after a day.`
  }
  const parts = [
    pending ? `${plural(pending.fields.length, 'field')} pending` : 'nothing pending',
    lastSent ? 'sent before' : 'never sent',
    deadLetters.length === 0 ? 'no dead letters' : plural(deadLetters.length, 'dead letter'),
  ]
  return `${runId}: ${parts.join(', ')}.`
}

/** The same, section by section. */
export function sections({ pending, lastSent, applied, deadLetters }) {
  return [
    section('Pending', pending ? pendingView(pending) : [quiet('Nothing waits to be sent.')]),
    section('Last request', lastSent ? [keyValues(lastSent)] : [quiet('None is remembered.')]),
    ...(Object.keys(applied).length > 0 ? [section('Applied so far', [appliedView(applied)])] : []),
    section('Dead letters', deadLetters.length > 0 ? deadLetters.map(letterView) : [quiet('None.')]),
  ]
}

/** Of however many requests: where one field was refused, the last one was only a part of what went out. */
function appliedView(applied) {
  const observed = Object.entries(applied).map(([path, { observedAt }]) => [path, `observed ${observedAt}`])
  return keyValues(Object.fromEntries(observed))
}

function pendingView({ openedAt, updates, fields, corruptFields, failures, tries, lastFailure, leasedUntil }) {
  const notes = [
    ...(tries > 0 ? [`${plural(tries, 'request')} failed, ${failures} of them counted`] : []),
    ...(leasedUntil ? [`a worker has it until ${leasedUntil.slice(11, 19)} UTC`] : []),
    ...(corruptFields.length > 0 ? [`unreadable: ${corruptFields.join(', ')}`] : []),
  ]
  const rows = fields.map(({ path, value, observedAt, source }) =>
    make(
      'tr',
      { 'data-key': path, role: 'row' },
      make('th', { scope: 'row', role: 'rowheader', class: 'mono' }, path),
      cell('Value', 'value', valueView(value)),
      cell('Source', 'source', source ?? make('span', { class: 'quiet' }, 'not told')),
      cell('Observed', 'number', ageView(observedAt)),
    ),
  )
  // With roles of its own: where it is narrow its rows are stacked, and browsers take that for no table.
  const body = make('tbody', { role: 'rowgroup' }, ...rows)
  const table = make('table', { role: 'table', class: 'stacks' }, head('Field', 'Value', 'Source', 'Observed'), body)
  const merged = [`${plural(updates, 'update')} merged, the first `, ageView(openedAt)]
  return [
    quiet(...merged, ...notes.map((note) => `; ${note}`), '.'),
    table,
    ...(lastFailure ? [keyValues({ lastFailure })] : []),
  ]
}

function valueView(value) {
  if (value === null) return make('em', { class: 'quiet' }, 'cleared')
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  if (text.length <= LONG) return make('code', {}, text)
  return make(
    'details',
    { class: 'long' },
    make(
      'summary',
      {},
      make('code', { class: 'cut' }, `${text.slice(0, LONG)}…`),
      ' ',
      make('span', { class: 'more' }, 'show all'),
      make('span', { class: 'less' }, 'show less'),
    ),
    make('code', {}, text),
  )
}

function cell(label, kind, content) {
  return make('td', { role: 'cell', class: kind, 'data-label': label }, content)
}

function letterView({ id, reason, message, updateMask, run, sources, deadLetteredAt, attempts, httpStatus }) {
  const facts = [
    ...(httpStatus ? [`HTTP ${httpStatus}`] : []),
    plural(attempts, 'request'),
    ...(sources.length > 0 ? [`by ${sources.join(', ')}`] : []),
  ]
  return make(
    'article',
    { class: 'letter', 'data-key': id },
    make(
      'div',
      { class: 'letter-head' },
      make(
        'p',
        {},
        make('strong', {}, reasonText(reason)),
        ' ',
        make('span', { class: 'quiet' }, facts.join(', '), ', ', ageView(deadLetteredAt)),
      ),
      make(
        'button',
        { type: 'button', class: 'small', 'data-letter': id },
        'Retry',
        make('span', { class: 'hidden' }, ` the dead letter ${reasonText(reason)}`),
      ),
    ),
    make('p', { class: 'mono' }, message),
    make('pre', {}, JSON.stringify({ run, updateMask }, null, 2)),
    make('p', { class: 'quiet mono' }, id),
  )
}

function keyValues(object) {
  const list = make('dl', { class: 'pairs' })
  for (const [key, value] of Object.entries(object)) {
    const isPlain = typeof value !== 'object' || value === null
    const shown =
      key === 'at'
        ? ageView(String(value))
        : key.endsWith('Ms') && typeof value === 'number'
          ? span(value)
          : String(value)
    list.append(
      make('dt', {}, key),
      make('dd', {}, isPlain ? make('code', {}, shown) : make('pre', {}, JSON.stringify(value, null, 2))),
    )
  }
  return list
}

function section(title, children) {
  return make('section', { 'data-key': title }, make('h3', {}, title), ...children)
}

function head(...titles) {
  const cells = titles.map((title) =>
    make('th', { scope: 'col', role: 'columnheader', ...(title === 'Observed' && { class: 'number' }) }, title),
  )
  return make('thead', { role: 'rowgroup' }, make('tr', { role: 'row' }, ...cells))
}

const quiet = (...text) => make('p', { class: 'quiet' }, ...text)

/** The page moves it on each second. */
const ageView = (time) => make('time', { datetime: time, title: time, 'data-age': '' }, ageOf(time))
