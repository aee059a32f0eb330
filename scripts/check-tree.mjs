/**
 * The rules of the tree that no linter has: names that say nothing, time and chance taken from nowhere, manifests of one shape, a README in every package.
 * Usage: node scripts/check-tree.mjs [root]; every finding is a line, and any finding is exit code 1.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename, extname, resolve } from 'node:path';
import { ROOT } from './tools/paths.mjs';

const root = resolve(process.argv[2] ?? ROOT);

/** A file or folder of this name ends as a drawer for what nobody could place. */
const SAYS_NOTHING = new Set(['utils', 'util', 'helpers', 'helper', 'common', 'lib', 'types', 'misc', 'manager', 'shared', 'stuff']);

/** What a package takes as an argument instead, so that a test can decide it. A comment that mentions it does not count. */
const UNTESTABLE = /^(?!\s*(\*|\/[/*])).*\b(Date\.now\(|new Date\(\)|performance\.now\(|process\.hrtime|Math\.random\()/;
const THE_CLOCK = 'packages/base/src/clock.ts';

const findings = [...namesThatSayNothing(trackedFiles()), ...timeAndChance(trackedFiles()), ...packageDirs().flatMap(packageFindings)];
for (const finding of findings) process.stdout.write(`${finding}\n`);
if (findings.length > 0) process.exitCode = 1;

/** What git knows and what it would add: the check must see a file before it is committed. */
function trackedFiles() {
  const output = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], { cwd: root, encoding: 'utf8' });
  return output.split('\0').filter((file) => file !== '' && existsSync(`${root}/${file}`));
}

function packageDirs() {
  return [...new Set(trackedFiles().flatMap((file) => /^packages\/[^/]+(?=\/package\.json$)/.exec(file) ?? []))];
}

function* namesThatSayNothing(files) {
  for (const file of files) {
    const parts = file.split('/');
    const names = [...parts.slice(0, -1), basename(file, extname(file))];
    const bad = names.find((name) => SAYS_NOTHING.has(name));
    if (bad !== undefined) yield `${file}: "${bad}" does not say what is in it; name it after its concept`;
  }
}

function* timeAndChance(files) {
  for (const file of files.filter((path) => /^packages\/[^/]+\/src\/.*\.ts$/.test(path) && path !== THE_CLOCK)) {
    for (const [index, line] of readFileSync(`${root}/${file}`, 'utf8').split('\n').entries()) {
      const call = UNTESTABLE.exec(line)?.[2];
      if (call !== undefined) yield `${file}:${index + 1}: "${call}": take a Clock or a source of randomness as an argument`;
    }
  }
}

function packageFindings(dir) {
  const manifest = JSON.parse(readFileSync(`${root}/${dir}/package.json`, 'utf8'));
  const name = basename(dir);
  const expected = {
    name: `@onevault/${name}`,
    license: 'Apache-2.0',
    type: 'module',
    sideEffects: false,
    engines: { node: '>=20.19' },
    exports: {
      '.': entryPoint('src/index', 'index'),
      './testing': entryPoint('testing/index', 'testing/index'),
    },
    files: ['dist', '!dist/types/test'],
  };
  const wrong = Object.entries(expected).filter(([key, value]) => JSON.stringify(manifest[key]) !== JSON.stringify(value));
  return [
    ...wrong.map(([key, value]) => `${dir}/package.json: "${key}" must be ${JSON.stringify(value)}`),
    ...notFromCatalog(dir, manifest),
    ...(existsSync(`${root}/${dir}/README.md`) ? [] : [`${dir}: a package has a README.md`]),
  ];
}

/** One version of everything: workspace packages by protocol, the rest from the catalog. */
function* notFromCatalog(dir, { dependencies = {}, devDependencies = {} }) {
  for (const [name, range] of Object.entries({ ...dependencies, ...devDependencies })) {
    const wanted = name.startsWith('@onevault/') ? 'workspace:*' : 'catalog:';
    if (range !== wanted) yield `${dir}/package.json: ${name} must be "${wanted}", so that the workspace has one version of it`;
  }
}

/** The source condition comes first: it is what lets checks and tests run without a build. */
function entryPoint(source, built) {
  return { '@onevault/source': `./${source}.ts`, types: `./dist/types/${source}.d.ts`, default: `./dist/${built}.js` };
}
