import { act, byId, call, make } from './dom.js'
import { ageOf, plural, reasonText, span } from './words.js'

/** The box to look a run up: what is pending field by field, what was last sent, its dead letters. */
export class RunPanel {
  constructor() {
    byId('run-form').addEventListener('submit', (event) => {
      event.preventDefault()
      this.look(byId('run-id').value.trim(), event.submitter)
    })
    // A run that is being looked at has an address of its own.
    const asked = new URLSearchParams(location.search).get('run')
    if (asked) {
      byId('run-id').value = asked
      this.look(asked, byId('run-form').querySelector('button'))
    }
  }

  look(runId, button) {
    void act(button, byId('run-result'), async () => {
      byId('run').hidden = true
      const report = await call('GET', `/v1/runs/${encodeURIComponent(runId)}`)
      history.replaceState(null, '', `?run=${encodeURIComponent(runId)}`)
      byId('run').replaceChildren(...sections(report))
      byId('run').hidden = false
      return summary(report)
    })
  }
}

function summary({ runId, pending, lastSent, deadLetters }) {
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

function sections({ pending, lastSent, deadLetters }) {
  return [
    section('Pending', pending ? pendingView(pending) : [quiet('Nothing waits to be sent.')]),
    section('Last request', lastSent ? [keyValues(lastSent)] : [quiet('None is remembered.')]),
    section('Dead letters', deadLetters.length > 0 ? deadLetters.map(letterView) : [quiet('None.')]),
  ]
}

function pendingView({ openedAt, updates, fields, corruptFields, failures, tries, lastFailure, leasedUntil }) {
  const notes = [
    `${plural(updates, 'update')} merged, the first ${ageOf(openedAt)}`,
    ...(tries > 0 ? [`${plural(tries, 'request')} failed, ${failures} of them counted`] : []),
    ...(leasedUntil ? [`a worker has it until ${leasedUntil.slice(11, 19)} UTC`] : []),
    ...(corruptFields.length > 0 ? [`unreadable: ${corruptFields.join(', ')}`] : []),
  ]
  const rows = fields.map(({ path, value, observedAt, source }) =>
    make(
      'tr',
      {},
      make('th', { scope: 'row', class: 'mono' }, path),
      make('td', { class: 'value' }, valueView(value)),
      make('td', {}, source ?? make('span', { class: 'quiet' }, 'not told')),
      make('td', { class: 'number' }, make('time', { datetime: observedAt, title: observedAt }, ageOf(observedAt))),
    ),
  )
  const table = make('table', {}, head('Field', 'Value', 'Source', 'Observed'), make('tbody', {}, ...rows))
  return [quiet(`${notes.join('; ')}.`), table, ...(lastFailure ? [keyValues({ lastFailure })] : [])]
}

function valueView(value) {
  if (value === null) return make('em', { class: 'quiet' }, 'cleared')
  return make('code', {}, typeof value === 'string' ? value : JSON.stringify(value))
}

function letterView({ id, reason, message, updateMask, run, sources, deadLetteredAt, attempts, httpStatus }) {
  const age = make('time', { datetime: deadLetteredAt, title: deadLetteredAt }, ageOf(deadLetteredAt))
  const facts = [
    ...(httpStatus ? [`HTTP ${httpStatus}`] : []),
    plural(attempts, 'request'),
    ...(sources.length > 0 ? [`by ${sources.join(', ')}`] : []),
  ]
  return make(
    'article',
    { class: 'letter' },
    make(
      'p',
      {},
      make('strong', {}, reasonText(reason)),
      ' ',
      make('span', { class: 'quiet' }, facts.join(', '), ', ', age),
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
    const shown = key.endsWith('Ms') && typeof value === 'number' ? span(value) : String(value)
    list.append(
      make('dt', {}, key),
      make('dd', {}, isPlain ? make('code', {}, shown) : make('pre', {}, JSON.stringify(value, null, 2))),
    )
  }
  return list
}

function section(title, children) {
  return make('section', {}, make('h3', {}, title), ...children)
}

function head(...titles) {
  const cells = titles.map((title) =>
    make('th', { scope: 'col', ...(title === 'Observed' && { class: 'number' }) }, title),
  )
  return make('thead', {}, make('tr', {}, ...cells))
}

const quiet = (text) => make('p', { class: 'quiet' }, text)
