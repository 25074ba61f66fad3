import type { FastifyPluginAsync } from 'fastify'

const STYLE_PATH = '/assets/page.css'

export const ICON_PATH = '/overview/icon.svg'

/** A page of ours: no script, and nothing from another host. `body` is HTML. */
export function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeHtml(title)} - sift-run-updater</title>
<link rel="icon" type="image/svg+xml" href="${ICON_PATH}">
<link rel="stylesheet" href="${STYLE_PATH}">
</head>
<body>
${body}
</body>
</html>
`
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

/** What the pages look like; the sign-in page needs it, too, so it is open to everybody. */
export const pageStyleRoute: FastifyPluginAsync = async (server) => {
  const opened = { config: { isOpen: true }, schema: { hide: true } }
  server.get(STYLE_PATH, opened, async (_request, reply) => {
    return reply.type('text/css; charset=utf-8').header('cache-control', 'max-age=3600').send(STYLE)
  })
  // Browsers look for it beside what names no icon, such as the metrics.
  server.get('/favicon.ico', opened, async (_request, reply) => {
    return reply.header('cache-control', 'max-age=3600').redirect(ICON_PATH)
  })
}

const STYLE = `:root { color-scheme: light dark; --line: light-dark(#d5d9df, #3a414c); --soft: light-dark(#f4f6f8, #1c2129);
  --text: light-dark(#1b2430, #dbe2ea); --quiet: light-dark(#566273, #94a1b2); --accent: light-dark(#0b5cad, #6cb2f5);
  --bad: light-dark(#a4161a, #ff8a80); }
* { box-sizing: border-box; }
body { margin: 0; background: light-dark(#fff, #14181e); color: var(--text);
  font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
main.narrow { max-width: 24rem; padding-top: 12vh; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.5rem; } h3 { font-size: 1rem; }
p { margin: .5rem 0; } a { color: var(--accent); }
code, pre { font: 13px/1.5 ui-monospace, monospace; }
pre { background: var(--soft); padding: .75rem; overflow-x: auto; border-radius: 6px; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; vertical-align: top;
  padding: .3rem .75rem .3rem 0; border-bottom: 1px solid var(--line); } th { color: var(--quiet); font-weight: 500; }
/* A shape that is opened scrolls, and does not widen the page. */
.answers { table-layout: fixed; } .answers th:first-child { width: 5rem; }
section { border-top: 1px solid var(--line); } .quiet { color: var(--quiet); }
label { display: block; margin: 1rem 0 .25rem; }
input { width: 100%; padding: .5rem; font: inherit; color: inherit; background: var(--soft);
  border: 1px solid var(--line); border-radius: 6px; }
button { margin-top: 1rem; padding: .5rem 1.25rem; font: inherit; border: 0; border-radius: 6px;
  background: var(--accent); color: light-dark(#fff, #10151b); cursor: pointer; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
[role=alert] { color: var(--bad); }
`
