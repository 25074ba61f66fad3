const OTHER_HOSTS = /<link\b[^>]*\bhref="(?:https?:)?\/\/[^>]*>/g
const STYLE_ELEMENTS = /<style\b[^>]*>[\s\S]*?<\/style>/g
const STYLE_ATTRIBUTES = / style="[^"]*"/g

/**
 * Bull Board's page without what the Content-Security-Policy would refuse: fonts of another host, and the inline style of
 * the moment before its script runs. What is left loads from this host alone.
 */
export function withoutInlineStyle(page: string, stylesheet: string): string {
  return page
    .replace(OTHER_HOSTS, '')
    .replace(STYLE_ELEMENTS, '')
    .replace(STYLE_ATTRIBUTES, '')
    .replace('</head>', `<link href="${stylesheet}" rel="stylesheet"></head>`)
}
