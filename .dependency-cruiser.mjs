// The layers of docs and CONTRIBUTING.md as rules. Every rule says why it exists: a rule without a reason is the first to be switched off.

const CAPABILITY = '(one-client|block-cbt|backup-format|proxy-attach|nbd-server|disk-export|guest-files)';
const NETWORK_AND_PROCESSES = '^(node:)?(http|https|http2|net|tls|dgram|dns|child_process|cluster)(/|$)';
const FILES = '^(node:)?fs(/|$)';

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    {
      name: 'base-stands-alone',
      comment:
        'base is below everything: what it imported, every package would carry, also the ones that must open a repository on a machine with nothing else.',
      severity: 'error',
      from: { path: '^packages/base/src/' },
      to: { pathNot: ['^packages/base/src/', '^(node:)?util$'] },
    },
    {
      name: 'capabilities-apart',
      comment:
        'one-client, block-cbt, backup-format, proxy-attach, nbd-server and disk-export are usable alone, and a repository must open on a machine that has never heard of OpenNebula. ' +
        'What one needs of another it declares as a narrow interface; the composition root connects them.',
      severity: 'error',
      from: { path: `^packages/${CAPABILITY}/` },
      to: { path: '^(packages|apps)/', pathNot: '^packages/($1|base)/' },
    },
    {
      name: 'run-queue-alone',
      comment: 'The queue knows kinds and requests, not backups: what it promises of crashes is proven without a cloud.',
      severity: 'error',
      from: { path: '^packages/run-queue/src/' },
      to: { path: '^(packages|apps)/', pathNot: '^packages/(run-queue|base)/' },
    },
    {
      name: 'composition-for-roots',
      comment: 'It knows every adapter; a library that used it could not be used without all of them.',
      severity: 'error',
      from: { path: '^packages/', pathNot: '^packages/composition/' },
      to: { path: '^packages/composition/' },
    },
    {
      name: 'web-speaks-http',
      comment: 'The browser has the API and nothing else of the product.',
      severity: 'error',
      from: { path: '^apps/web/src/' },
      to: { path: '^(packages|apps)/', pathNot: '^(apps/web|packages/api)/' },
    },
    {
      name: 'audit-log-alone',
      comment: 'What must be believed when nothing else is has nothing under it.',
      severity: 'error',
      from: { path: '^packages/audit-log/src/' },
      to: { path: ['^(packages|apps)/', NETWORK_AND_PROCESSES], pathNot: '^packages/(audit-log|base)/' },
    },
    {
      name: 'api-is-data',
      comment: 'The browser loads it too: nothing of Node, nothing of the product.',
      severity: 'error',
      from: { path: '^packages/api/src/' },
      to: {
        path: ['^(packages|apps)/', NETWORK_AND_PROCESSES, FILES, '^(node:)?(buffer|crypto|os|path|stream|url|util|worker_threads)(/|$)'],
        pathNot: '^packages/api/',
      },
    },
    {
      name: 'policies-are-pure',
      comment: 'Schedules and selectors are functions of texts and instants: a table test covers them. Retention rules and time zones are the repository’s.',
      severity: 'error',
      from: { path: '^packages/policies/src/' },
      to: { path: ['^(packages|apps)/', NETWORK_AND_PROCESSES, FILES], pathNot: '^packages/(policies|base|backup-format)/' },
    },
    {
      name: 'simulator-independent',
      comment: 'A simulator built from the client would agree with its mistakes. Tests may use the client against it; its source may not.',
      severity: 'error',
      from: { path: '^packages/one-sim/(src|testing)/' },
      to: { path: '^(packages|apps)/', pathNot: '^packages/(one-sim|base)/' },
    },
    {
      name: 'orchestrator-without-io',
      comment:
        'Workflows talk to ports, so that every failure of the outside can be played in a test. The files they own are the journal and what it had to leave, each in a module of its own.',
      severity: 'error',
      from: { path: '^packages/orchestrator/src/', pathNot: '^packages/orchestrator/src/(durable-file|file-journal|process-identity|residue-files)\\.ts$' },
      to: { path: [NETWORK_AND_PROCESSES, FILES] },
    },
    {
      name: 'journal-without-network',
      comment: 'The exception for the journal is for files, not for sockets and processes.',
      severity: 'error',
      from: { path: '^packages/orchestrator/src/(durable-file|file-journal|process-identity|residue-files)\\.ts$' },
      to: { path: NETWORK_AND_PROCESSES },
    },
    {
      name: 'workflows-below-apps',
      comment: 'Only composition roots know which adapters exist; a library that knows an app cannot be used by another.',
      severity: 'error',
      from: { path: '^packages/' },
      to: { path: '^apps/' },
    },
    {
      name: 'orchestrator-without-simulator',
      comment: 'The product does not know that a simulator exists; the CLI offers it as a command of its own.',
      severity: 'error',
      from: { path: '^packages/orchestrator/src/' },
      to: { path: '^packages/one-sim/' },
    },
    {
      name: 'production-without-testing',
      comment: 'testing/ may import vitest and fast-check, which are not installed where the product runs.',
      severity: 'error',
      from: { path: '^(packages|apps)/[^/]+/src/' },
      to: { path: ['^(packages|apps)/[^/]+/(testing|test)/', '^tests/', '/node_modules/(vitest|fast-check)/'] },
    },
    {
      name: 'public-entries-only',
      comment: 'A package is what its index and its testing entry export; everything else may change without notice.',
      severity: 'error',
      from: { path: '^(packages|apps)/([^/]+)/' },
      to: { path: '^packages/[^/]+/', pathNot: ['^packages/$2/', '^packages/[^/]+/(src|testing)/index\\.ts$'] },
    },
    {
      name: 'tests-through-public-entries',
      comment: 'Tests that cross packages see what a user sees.',
      severity: 'error',
      from: { path: '^tests/' },
      to: { path: '^packages/[^/]+/', pathNot: '^packages/[^/]+/(src|testing)/index\\.ts$' },
    },
    {
      name: 'stores-know-keys-and-bytes',
      comment:
        'A store is an adapter under the repository: it must be replaceable without reading the format, so it sees base, Node, the package’s error class and the names of keys only.',
      severity: 'error',
      from: { path: '^packages/backup-format/src/store/' },
      to: { path: '^packages/', pathNot: ['^packages/base/', '^packages/backup-format/src/(store/|errors\\.ts$|lru-cache\\.ts$|format/ids\\.ts$)'] },
    },
    {
      name: 'format-is-pure',
      comment: 'Encoders and decoders are functions from bytes to values; that is what lets a property test cover them without a disk.',
      severity: 'error',
      from: { path: '^packages/backup-format/src/format/' },
      to: { path: [NETWORK_AND_PROCESSES, FILES, '^(node:)?worker_threads$', '^packages/backup-format/src/store/'] },
    },
    {
      name: 'no-cycle',
      comment:
        'Two files whose code needs one another are one file cut in the wrong place, and the order in which they are loaded decides what works. ' +
        'A type that closes the circle is gone before anything is loaded, and is allowed.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'resolvable',
      comment: 'An import that resolves only by luck of hoisting breaks in the bundle.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'declared-for-production',
      comment: 'The bundle installs production dependencies only. What the browser gets is bundled when the web UI is built.',
      severity: 'error',
      from: { path: '^(packages|apps)/[^/]+/src/', pathNot: '^apps/web/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'], dependencyTypesNot: ['type-only'], pathNot: '/node_modules/@types/' },
    },
  ],
  options: {
    doNotFollow: { path: ['node_modules', '(^|/)dist/'] },
    exclude: { path: ['(^|/)dist/', '/fixtures/'] },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['@onevault/source', 'import', 'node', 'default'],
      mainFields: ['module', 'main', 'types'],
    },
  },
};
