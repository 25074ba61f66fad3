/** The element of the page with this id: one that is missing is a mistake of ours. */
export function byId(id) {
  const found = document.getElementById(id)
  if (!found) throw new Error(`the page has no #${id}`)
  return found
}

/** Writes only what has changed, so that a selection survives and nothing is read out twice. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text
}

/** An element; text goes in as text, so nothing that a run or a letter holds becomes markup. */
export function make(tag, attributes, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes ?? {})) element.setAttribute(name, value)
  element.append(...children)
  return element
}

/**
 * Calls a route of this server.
 * @throws Error with the server's own words
 */
export async function call(method, path, body) {
  const init = body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
  const answer = await fetch(path, { method, ...init })
  const told = await answer.json().catch(() => ({}))
  if (answer.status === 401) throw new Error('you are signed out; reload the page to sign in again')
  if (!answer.ok) throw new Error(told.message ?? `the server answered ${answer.status}`)
  return told
}

/** Long enough to be read; what it tells is no longer news then. */
const TOLD_MS = 8_000
const vanishing = new WeakMap()

/** Runs what a button or form asks for, once at a time, and tells how it ended: what went well for some seconds. */
export async function act(button, result, task) {
  await actAndStay(button, result, async () => {
    const told = await task()
    const timer = setTimeout(() => result.replaceChildren(), TOLD_MS)
    vanishing.set(result, timer)
    return told
  })
}

/** The same, where what is told goes on being so. */
export async function actAndStay(button, result, task) {
  button.disabled = true
  clearTimeout(vanishing.get(result))
  try {
    result.classList.remove('bad')
    result.textContent = await task()
  } catch (error) {
    result.classList.add('bad')
    result.textContent = `That did not work: ${error.message}`
  } finally {
    button.disabled = false
  }
}

/**
 * Makes `from` look as `to` does, and keeps every element that is still meant: focus, selection, scroll and an opened
 * detail survive. Children with a `data-key` are known by it, others by their place and tag.
 */
export function morph(from, to) {
  morphAttributes(from, to)
  const wanted = new Set([...to.children].map(({ dataset }) => dataset.key))
  for (const child of [...from.children]) if (!wanted.has(child.dataset.key)) child.remove()
  const known = new Map([...from.children].map((child) => [child.dataset.key, child]))
  let at = from.firstChild
  for (const next of [...to.childNodes]) {
    const key = next.dataset?.key
    const same = key === undefined ? (isAlike(at, next) ? at : null) : known.get(key)
    if (!same) {
      from.insertBefore(next, at)
      continue
    }
    if (same === at) at = at.nextSibling
    else from.insertBefore(same, at)
    if (same.nodeType !== Node.TEXT_NODE) morph(same, next)
    else if (same.data !== next.data) same.data = next.data
  }
  while (at) {
    const rest = at
    at = at.nextSibling
    rest.remove()
  }
}

const isAlike = (at, next) => at?.nodeName === next.nodeName && at.dataset?.key === undefined

/** What the reader or a request in flight has set is theirs. */
const OWN = { DETAILS: 'open', BUTTON: 'disabled' }

function morphAttributes(from, to) {
  for (const { name } of [...from.attributes]) {
    if (!to.hasAttribute(name) && name !== OWN[from.nodeName]) from.removeAttribute(name)
  }
  for (const { name, value } of to.attributes) if (from.getAttribute(name) !== value) from.setAttribute(name, value)
}
