/**
 * Which file of src may import which, type-only imports included.
 * The floors, lowest first: a file imports from its own floor or from below.
 */
const FLOORS = [
  'errors.ts',
  'events.ts',
  'policy.ts',
  'tracing/',
  'run/',
  'sift/',
  'redis/',
  'config.ts',
  'throttle/',
  'pending/',
  'flush-queue/',
  'dead-letters/',
  'simulator/',
  'producer/',
  'intake/',
  'worker/',
  'logging.ts',
  'metrics/',
  'http/',
  'cli/',
  'index.ts',
]

const pathOf = (floors) => `^src/(${floors.map((floor) => floor.replace('.', '\\.')).join('|')})`

const neverUpward = FLOORS.slice(0, -1).map((floor, height) => ({
  name: `${floor} imports nothing from above`,
  severity: 'error',
  from: { path: pathOf([floor]) },
  to: { path: pathOf(FLOORS.slice(height + 1)) },
}))

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    ...neverUpward,
    {
      name: 'every file of src is on a floor',
      severity: 'error',
      from: { path: '^src/', pathNot: pathOf(FLOORS) },
      to: {},
    },
    {
      name: 'every file of src is on a floor (imported)',
      severity: 'error',
      from: {},
      to: { path: '^src/', pathNot: pathOf(FLOORS) },
    },
    { name: 'no circles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no import of what does not exist', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'what is published needs no development dependency',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev'] },
    },
  ],
  options: {
    // The parser of TypeScript 7 has no JavaScript API yet. swc sees type-only imports, but not `import('...').Type`.
    parser: 'swc',
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'types', 'node', 'default'] },
  },
}
