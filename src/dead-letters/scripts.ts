import { Script } from '../redis/script.js'

const file = (name: string): URL => new URL(`./${name}.lua`, import.meta.url)

/** What is kept of dead letters beside their queue: which there are, how many there were, the pace of redrives. */
export const SCRIPTS = {
  noteRecorded: new Script(file('noteRecorded'), ['ids', 'counts'], ['nowUs', 'id']),
  noteGone: new Script(file('noteGone'), ['ids', 'counts'], ['as']),
  takeRedriveSlot: new Script(
    file('takeRedriveSlot'),
    ['throttle', 'pace'],
    ['nowUs', 'permitsASlot', 'furthestSlots'],
  ),
} as const
