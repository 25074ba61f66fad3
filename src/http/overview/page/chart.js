/* global uPlot */
const SHOWN_SECONDS = 300
const HEIGHT = 220
/** uPlot's own next after a minute are five, which is one label on a phone. */
const LABEL_EVERY_S = [30, 60, 120, 300]
/** Of a time on the axis, with some air: the last one is centred on the right edge. */
const LABEL_WIDTH = 68

/** The moving chart: updates in and PATCHes out a second, over the last five minutes. */
export class FlowChart {
  #element
  #plot
  #seconds = []
  #updates = []
  #patches = []

  constructor(element) {
    this.#element = element
    this.#draw()
    new ResizeObserver(() => this.#plot.setSize(this.#size())).observe(element)
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#draw())
  }

  /** @param flows what was seen before this page was opened */
  begin(flows) {
    this.#seconds = []
    this.#updates = []
    this.#patches = []
    for (const flow of flows) this.#push(flow)
    this.#show()
  }

  add(flow) {
    this.#push(flow)
    while (this.#seconds[0] < flow.atMs / 1_000 - SHOWN_SECONDS) {
      for (const list of [this.#seconds, this.#updates, this.#patches]) list.shift()
    }
    this.#show()
  }

  #push({ atMs, seconds, updates, patches }) {
    const at = atMs / 1_000
    // Nobody looked for a while: a gap, and no line across it.
    if (at - (this.#seconds.at(-1) ?? at) > seconds + 3) this.#append(at - seconds, null, null)
    this.#append(at, updates / seconds, patches / seconds)
  }

  #append(at, updates, patches) {
    this.#seconds.push(at)
    this.#updates.push(updates)
    this.#patches.push(patches)
  }

  #show() {
    const now = Date.now() / 1_000
    this.#plot.batch(() => {
      this.#plot.setData([this.#seconds, this.#updates, this.#patches], false)
      this.#plot.setScale('x', { min: now - SHOWN_SECONDS, max: now })
    })
  }

  #size() {
    return { width: this.#element.clientWidth, height: HEIGHT }
  }

  #draw() {
    this.#plot?.destroy()
    const style = getComputedStyle(this.#element)
    const color = (name) => style.getPropertyValue(name).trim()
    const axis = {
      stroke: color('--quiet'),
      grid: { stroke: color('--grid'), width: 1 },
      ticks: { show: false },
      font: '12px system-ui, sans-serif',
    }
    const series = (label, name) => ({
      label,
      stroke: color(name),
      fill: color(`${name}-fill`),
      width: 1.75,
      points: { show: false },
    })
    this.#plot = new uPlot(
      {
        ...this.#size(),
        legend: { show: false },
        cursor: { show: false },
        scales: { x: { time: true }, y: { range: (_plot, _min, max) => [0, Math.max(1, (max ?? 0) * 1.15)] } },
        padding: [8, LABEL_WIDTH / 2, 0, 0],
        axes: [
          { ...axis, size: 26, space: LABEL_WIDTH, incrs: LABEL_EVERY_S, values: (_plot, at) => at.map(timeOf) },
          { ...axis, size: 44, space: 36 },
        ],
        series: [{}, series('updates in', '--in'), series('PATCHes out', '--out')],
      },
      [this.#seconds, this.#updates, this.#patches],
      this.#element,
    )
    this.#show()
  }
}

const timeOf = (second) => new Date(second * 1_000).toLocaleTimeString('en-GB')
