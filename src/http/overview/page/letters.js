import { act, byId, call, make, setText } from './dom.js'
import { count, plural, reasonText } from './words.js'

/** Dead letters by reason. Rows stay the same elements, so that a button keeps its focus while figures move. */
export class LettersPanel {
  #rows = new Map()

  setQueue(queueName) {
    byId('letters-link').href = `/dashboard/queue/${encodeURIComponent(`${queueName}-dead-letters`)}?status=failed`
    byId('intake-link').href = `/dashboard/queue/${encodeURIComponent(`${queueName}-intake`)}?status=failed`
  }

  /** Jobs whose update was never taken in: they are no dead letters, which are fields that Sift has refused. */
  showRefusedIntake(number) {
    const text = `Besides, ${plural(number, 'job')} of the intake queue ${number === 1 ? 'was' : 'were'} refused before anything was sent.`
    setText(byId('intake-refused-count'), text)
    byId('intake-refused').hidden = number === 0
  }

  show(deadLetters) {
    const body = byId('letters').tBodies[0]
    for (const { reason, count: letters } of deadLetters) {
      let row = this.#rows.get(reason)
      if (!row) {
        row = this.#makeRow(reason)
        this.#rows.set(reason, row)
        body.append(row)
      }
      setText(row.cells[1], count(letters))
    }
    const reasons = new Set(deadLetters.map(({ reason }) => reason))
    for (const [reason, row] of this.#rows) {
      if (reasons.has(reason)) continue
      // Whoever has just pressed the row's button must not be thrown back to the top of the page.
      if (row.contains(document.activeElement)) byId('letters-link').focus()
      row.remove()
      this.#rows.delete(reason)
    }
    byId('letters').hidden = deadLetters.length === 0
    byId('no-letters').hidden = deadLetters.length > 0
  }

  #makeRow(reason) {
    const button = make(
      'button',
      { type: 'button', class: 'small' },
      'Retry all',
      make('span', { class: 'hidden' }, ` of ${reasonText(reason)}`),
    )
    button.addEventListener('click', () => {
      void act(button, byId('letters-result'), async () => {
        const { asked } = await call('POST', '/overview/retry-all', { reason })
        return `${plural(asked, 'dead letter')} of ${reasonText(reason)} will be sent again, at up to half of the lane's rate.`
      })
    })
    return make(
      'tr',
      {},
      make('th', { scope: 'row', title: reason }, reasonText(reason)),
      make('td', { class: 'number' }),
      make('td', { class: 'action' }, button),
    )
  }
}
