import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    // One more than the two cores of a small machine: most tests wait for processes, windows and time-outs half of their time.
    // CI would rather have a steady machine than a minute.
    maxWorkers: process.env.CI ? 2 : 3,
    projects: [
      { test: { name: 'unit', include: ['test/unit/**/*.test.ts'] } },
      {
        test: {
          name: 'integration',
          include: ['test/integration/**/*.test.ts'],
          testTimeout: 30_000,
          hookTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          globalSetup: ['test/support/build.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'faults',
          include: ['test/faults/**/*.test.ts'],
          globalSetup: ['test/support/build.ts'],
          // Kills, freezes and clocks that leap take their time, and a busy machine would blur what they show.
          fileParallelism: false,
          testTimeout: 600_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
})
