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

/** Runs what a button or form asks for, once at a time, and tells how it ended. */
export async function act(button, result, task) {
  button.disabled = true
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
