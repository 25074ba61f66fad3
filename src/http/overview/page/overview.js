import { FlowChart } from './chart.js'
import { byId, setText } from './dom.js'
import { LanePanel } from './lane.js'
import { LettersPanel } from './letters.js'
import { RunPanel } from './run.js'
import { clock, count, limitText, plural, rate, span } from './words.js'

/** The figures of this moment are means of so many seconds: single seconds leap. */
const RECENT_MS = 10_000
const CHART_MS = 300_000
/** Nobody minds this much that is missing at the chart's left edge. */
const FULL_SLACK_MS = 10_000
/** A look comes each second; without one for so long, what is shown is old. */
const SILENCE_MS = 5_000

const chart = new FlowChart(byId('chart'))
const lane = new LanePanel()
const letters = new LettersPanel()
const run = new RunPanel()

let flows = []
let heardAt = Date.now()
/** By the server's clock; null: never. */
let lookedAtMs = null

function listen() {
  const events = new EventSource('/overview/events')
  on(events, 'begin', ({ queueName, flows: seen }) => {
    setText(byId('queue-name'), queueName)
    letters.setQueue(queueName)
    lane.setQueue(queueName)
    flows = [...seen]
    chart.begin(flows)
    showFlow(Date.now())
  })
  on(events, 'look', ({ snapshot, flow }) => {
    lookedAtMs = snapshot.atMs
    tellConnection('live')
    showFresh()
    if (flow) note(flow)
    else showFlow(snapshot.atMs)
    show(snapshot)
    run.noteLook()
  })
  on(events, 'trouble', ({ sinceMs, asOfMs }) => {
    tellConnection('Redis does not answer')
    showStale(`Redis does not answer since ${clock(sinceMs)}`, asOfMs)
  })
  // The browser connects again by itself, unless it was refused.
  events.addEventListener('error', () => {
    tellConnection(events.readyState === EventSource.CLOSED ? 'signed out, or refused: reload' : 'connecting again')
  })
  setInterval(() => {
    if (Date.now() - heardAt <= SILENCE_MS) return
    if (document.body.dataset.connection === 'live') tellConnection('no news')
    showStale(`No news from this server since ${clock(heardAt)}`, lookedAtMs)
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

/** What is shown is old: that is said, and what nobody knows now is not told as if it were so. */
function showStale(title, asOfMs) {
  const asOf = asOfMs === null ? 'Nothing is known of the lane yet.' : `What is below is as of ${clock(asOfMs)}.`
  setText(byId('stale-title'), title)
  setText(byId('stale-as-of'), asOf)
  byId('stale-banner').hidden = false
  document.body.classList.add('stale')
  document.title = 'NO ANSWER - sift-run-updater'
  lane.showUnknown()
}

function showFresh() {
  byId('stale-banner').hidden = true
  document.body.classList.remove('stale')
}

function note(flow) {
  flows.push(flow)
  flows = flows.filter(({ atMs }) => atMs > flow.atMs - CHART_MS)
  chart.add(flow)
  showFlow(flow.atMs)
}

/** The figures of the flow, and a dash where there is nothing to tell them from. */
function showFlow(nowMs) {
  const recent = total(flows.filter(({ atMs }) => atMs > nowMs - RECENT_MS))
  const all = total(flows)
  const updates = recent.seconds === 0 ? '–' : rate(recent.updates / recent.seconds)
  const patches = recent.seconds === 0 ? '–' : rate(recent.patches / recent.seconds)
  setText(byId('updates-rate'), updates)
  setText(byId('patches-rate'), patches)
  // Below one, some PATCHes are those of a worker that does not count their updates yet.
  const isKnown = all.patches > 0 && all.merged >= all.patches
  setText(byId('updates-per-patch'), isKnown ? rate(all.merged / all.patches) : '–')
  setText(byId('flow-title'), flowTitle(nowMs))
  byId('chart').setAttribute('aria-label', `Updates in: ${updates} a second; PATCHes out: ${patches} a second`)
}

/** A server that has just started has not seen five minutes. */
function flowTitle(nowMs) {
  const [first] = flows
  if (!first) return 'Flow, from now on'
  const sinceMs = first.atMs - first.seconds * 1_000
  return nowMs - sinceMs > CHART_MS - FULL_SLACK_MS ? 'Flow, last five minutes' : `Flow since ${clock(sinceMs)}`
}

function total(list) {
  const sum = { seconds: 0, updates: 0, patches: 0, merged: 0 }
  for (const flow of list) for (const key of Object.keys(sum)) sum[key] += flow[key]
  return sum
}

function show({ pendingRuns, oldestPendingAgeMs, lane: state, isPaused, deadLetters, jobs }) {
  setText(byId('pending-runs'), count(pendingRuns))
  setText(byId('pending-note'), jobsNote(jobs))
  setText(byId('oldest-age'), pendingRuns === 0 ? '–' : span(oldestPendingAgeMs))
  setText(byId('rate-note'), state.rate === null ? 'last 10 s' : `limit ${limitText(state.rate)}`)
  const dead = deadLetters.reduce((sum, { count: number }) => sum + number, 0)
  setText(byId('letters-total'), count(dead))
  byId('letters-tile').classList.toggle('bad', dead > 0)
  letters.showRefusedIntake(jobs.intakeFailed)
  lane.show(state, isPaused)
  letters.show(deadLetters)
  document.title = `${state.state === 'open' ? '' : 'HELD - '}${isPaused ? 'PAUSED - ' : ''}${count(pendingRuns)} pending - sift-run-updater`
}

function jobsNote({ flush, intake }) {
  return `${plural(flush, 'flush job')}${intake > 0 ? `, ${plural(intake, 'intake job')}` : ''}`
}

listen()
