import { FlowChart } from './chart.js'
import { byId, setText } from './dom.js'
import { LanePanel } from './lane.js'
import { LettersPanel } from './letters.js'
import { RunPanel } from './run.js'
import { count, plural, rate, span } from './words.js'

/** The figures of this moment are means of so many seconds: single seconds leap. */
const RECENT_MS = 10_000
const CHART_MS = 300_000
/** A look comes each second; without one for so long, what is shown is old. */
const SILENCE_MS = 5_000

const chart = new FlowChart(byId('chart'))
const lane = new LanePanel()
const letters = new LettersPanel()
const run = new RunPanel()

let flows = []
let heardAt = Date.now()

function listen() {
  const events = new EventSource('/overview/events')
  on(events, 'begin', ({ queueName, flows: seen }) => {
    setText(byId('queue-name'), queueName)
    letters.setQueue(queueName)
    flows = [...seen]
    chart.begin(flows)
  })
  on(events, 'look', ({ snapshot, flow }) => {
    tellConnection('live')
    if (flow) note(flow)
    show(snapshot)
    run.noteLook()
  })
  on(events, 'trouble', () => tellConnection('Redis does not answer'))
  // The browser connects again by itself, unless it was refused.
  events.addEventListener('error', () => {
    tellConnection(events.readyState === EventSource.CLOSED ? 'signed out, or refused: reload' : 'connecting again')
  })
  setInterval(() => {
    if (Date.now() - heardAt > SILENCE_MS && document.body.dataset.connection === 'live') tellConnection('no news')
  }, 1_000)
}

function on(events, name, listener) {
  events.addEventListener(name, ({ data }) => {
    heardAt = Date.now()
    listener(JSON.parse(data))
  })
}

function tellConnection(state) {
  document.body.dataset.connection = state
  setText(byId('connection'), state)
}

function note(flow) {
  flows.push(flow)
  flows = flows.filter(({ atMs }) => atMs > flow.atMs - CHART_MS)
  chart.add(flow)
  const recent = total(flows.filter(({ atMs }) => atMs > flow.atMs - RECENT_MS))
  const all = total(flows)
  setText(byId('updates-rate'), rate(recent.updates / recent.seconds))
  setText(byId('patches-rate'), rate(recent.patches / recent.seconds))
  setText(byId('updates-per-patch'), all.patches === 0 ? '–' : rate(all.updates / all.patches))
  const sentence = `Updates in: ${rate(recent.updates / recent.seconds)} a second; PATCHes out: ${rate(recent.patches / recent.seconds)} a second`
  byId('chart').setAttribute('aria-label', sentence)
}

function total(list) {
  const sum = { seconds: 0, updates: 0, patches: 0 }
  for (const flow of list) for (const key of Object.keys(sum)) sum[key] += flow[key]
  return sum
}

function show({ pendingRuns, oldestPendingAgeMs, lane: state, deadLetters, jobs }) {
  setText(byId('pending-runs'), count(pendingRuns))
  setText(byId('pending-note'), plural(jobs.flush, 'flush job'))
  setText(byId('oldest-age'), pendingRuns === 0 ? '–' : span(oldestPendingAgeMs))
  setText(byId('rate-note'), state.rate === null ? 'last 10 s' : `limit ${state.rate}`)
  const dead = deadLetters.reduce((sum, { count: number }) => sum + number, 0)
  setText(byId('letters-total'), count(dead))
  byId('letters-tile').classList.toggle('bad', dead > 0)
  setText(byId('intake-note'), intakeNote(jobs))
  lane.show(state)
  letters.show(deadLetters)
  document.title = `${state.state === 'open' ? '' : 'HELD - '}${count(pendingRuns)} pending - sift-run-updater`
}

function intakeNote({ intake, intakeFailed }) {
  if (intakeFailed > 0) return `${plural(intakeFailed, 'intake job')} refused`
  return intake > 0 ? `${plural(intake, 'intake job')} waiting` : 'fields that Sift refused'
}

listen()
