import type { Stage } from './stage.js'

/** What one row of the table found. */
export interface Finding {
  /** The figure that is held against the row's target. */
  readonly figure: number
  readonly spread?: readonly [least: number, most: number]
  readonly ours: string
  readonly peer: string
}

export interface Row {
  readonly key: string
  readonly measured: string
  readonly against: string
  /** What the peer does not do, and what to know when reading the figure. */
  readonly note: string
  readonly target: number
  /** Whether the figure must reach the target, or stay below it. */
  readonly goal: 'at least' | 'at most'
  readonly unit: 'x' | 'ms'
  /** Whether it is short enough for `--quick`. */
  readonly isQuick: boolean
  measure(stage: Stage, effort: Effort): Promise<Finding>
}

/** How much is measured: `quick` is for a machine that others use. */
export interface Effort {
  readonly rounds: number
  /** What a round's amount of work is multiplied by. */
  readonly scale: number
}

export const EFFORTS = {
  full: { rounds: 5, scale: 1 },
  quick: { rounds: 3, scale: 0.2 },
} as const satisfies Record<string, Effort>

/** How far a figure has come: 1 is just reached. */
export function progress(row: Row, figure: number): number {
  return row.goal === 'at least' ? figure / row.target : row.target / figure
}
