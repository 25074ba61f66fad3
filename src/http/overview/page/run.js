import { act, actAndStay, byId, call, morph, setText } from './dom.js'
import { sections, summary } from './run-view.js'
import { ageOf, clock } from './words.js'

/** Reading a run goes through all dead letters: it takes at most a tenth of the time, and is done every so often. */
const REFRESH_MS = 2_000
const REST_TIMES = 10

/**
 * The box to look a run up: what is pending field by field, what was last sent, its dead letters.
 *  - empty  nothing was asked for, or what was could not be read.
 *  - shown  it is read again with the looks at the lane, while somebody can see it. Left by asking for another run.
 */
export class RunPanel {
  /** Null while empty. */
  #runId = null
  #readAt = 0
  #readAgainAt = 0
  #isReading = false

  constructor() {
    const form = byId('run-form')
    form.addEventListener('submit', (event) => {
      event.preventDefault()
      this.#look(byId('run-id').value.trim(), event.submitter)
    })
    byId('run').addEventListener('click', ({ target }) => this.#retry(target.closest('button[data-letter]')))
    setInterval(() => this.#tick(), 1_000)
    // A run that is being looked at has an address of its own.
    const asked = new URLSearchParams(location.search).get('run')
    if (!asked) return
    byId('run-id').value = asked
    this.#look(asked, form.querySelector('button'))
  }

  /** The lane was looked at, so Redis answers. */
  noteLook() {
    if (this.#runId === null || this.#isReading || document.hidden || Date.now() < this.#readAgainAt) return
    void this.#refresh(this.#runId)
  }

  #look(runId, button) {
    this.#runId = null
    byId('run').hidden = true
    setText(byId('run-as-of'), '')
    void actAndStay(button, byId('run-result'), async () => {
      const report = await this.#read(runId)
      history.replaceState(null, '', `?run=${encodeURIComponent(runId)}`)
      this.#runId = runId
      byId('run').replaceChildren(...sections(report))
      byId('run').hidden = false
      return summary(report)
    })
  }

  /** Buttons come and go with what is known, so the section listens for them. */
  #retry(button) {
    if (!button) return
    void act(button, byId('letter-result'), async () => {
      const path = `/v1/dead-letters/${encodeURIComponent(button.dataset.letter)}/retry`
      const { result, message } = await call('POST', path)
      if (result !== 'redriven' && result !== 'stale') throw new Error(message ?? result)
      this.#readAgainAt = 0
      this.noteLook()
      return message ? `Settled: ${message}.` : 'The dead letter is pending again, and will be sent.'
    })
  }

  async #refresh(runId) {
    this.#isReading = true
    try {
      const report = await this.#read(runId)
      // Another one was asked for meanwhile.
      if (this.#runId === runId) this.#show(report)
    } catch (error) {
      if (this.#runId === runId) setText(byId('run-as-of'), `as of ${clock(this.#readAt)}: ${error.message}`)
    } finally {
      this.#isReading = false
    }
  }

  #show(report) {
    const run = byId('run')
    const hadFocus = run.contains(document.activeElement)
    morph(run, withChildren(run.cloneNode(false), sections(report)))
    // What had the focus is gone: not back to the top of the page.
    if (hadFocus && !run.contains(document.activeElement)) run.focus()
    setText(byId('run-result'), summary(report))
  }

  async #read(runId) {
    const begunAt = Date.now()
    const report = await call('GET', `/v1/runs/${encodeURIComponent(runId)}`)
    this.#readAt = Date.now()
    this.#readAgainAt = this.#readAt + Math.max(REFRESH_MS, (this.#readAt - begunAt) * REST_TIMES)
    setText(byId('run-as-of'), `as of ${clock(this.#readAt)}`)
    return report
  }

  #tick() {
    if (this.#runId === null || document.hidden) return
    for (const time of byId('run').querySelectorAll('time[data-age]')) setText(time, ageOf(time.dateTime))
  }
}

function withChildren(element, children) {
  element.replaceChildren(...children)
  return element
}
