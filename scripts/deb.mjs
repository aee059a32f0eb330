/**
 * `npm run deb [-- --out DIR] [--version V] [--compression xz|gzip|none]`: a Debian package with the program, its own Node, units for systemd, alert rules and a
 * dashboard. It needs dpkg-deb and nothing of Debian but what every system has. The same sources give the same bytes.
 */
import { chmod, copyFile, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { productionTree } from './bundle/production-tree.mjs';
import { main, runStep, TaskError } from './tools/child.mjs';
import { fetchTool } from './tools/fetch-tool.mjs';
import { ROOT } from './tools/paths.mjs';
import { PINNED } from './tools/pinned.mjs';
import { step } from './tools/step.mjs';

const PACKAGING = `${ROOT}packaging/`;
const COMPRESSIONS = ['xz', 'gzip', 'none'];
/** 1 January 2020, as in the bundle: nothing says when it was packed. */
const EPOCH = '1577836800';

await main(async () => {
  const { values } = parseArgs({
    options: { out: { type: 'string', default: ROOT }, version: { type: 'string' }, compression: { type: 'string', default: 'xz' } },
  });
  if (!COMPRESSIONS.includes(values.compression)) throw new TaskError(`--compression: one of ${COMPRESSIONS.join(', ')}`);
  const program = JSON.parse(await readFile(`${ROOT}apps/cli/package.json`, 'utf8'));
  const version = values.version ?? program.version;
  if (!/^\d[\w.+~]*$/.test(version)) throw new TaskError(`--version: '${version}' is no version of a Debian package without a revision`);
  const scratch = await mkdtemp(`${tmpdir()}/onevault-deb-`);
  try {
    const root = `${scratch}/root`;
    await productionTree(scratch, `${root}/usr/lib/onevault`, { version, libcs: ['glibc'] });
    await step('Node', () => addNode(`${root}/usr/lib/onevault/node`));
    await addSystemFiles(root);
    await addControl(root, version);
    const deb = resolve(values.out, `onevault_${version}_amd64.deb`);
    await step('package', () => pack(root, deb, values.compression));
    process.stdout.write(`${deb} ${((await stat(deb)).size / 2 ** 20).toFixed(1)} MiB\n`);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
});

/** The newest line that `npm run test:matrix` tests: what a distribution has is older than we may need, or newer than we know. */
async function addNode(target) {
  const tool = PINNED.matrix.at(-1);
  const { binDir } = await fetchTool(tool);
  await mkdir(`${target}/bin`, { recursive: true });
  await copyFile(`${binDir}/node`, `${target}/bin/node`);
  await copyFile(`${binDir}/../${tool.name}/LICENSE`, `${target}/LICENSE`);
  return tool.version;
}

async function addSystemFiles(root) {
  const place = async (from, to, mode = 0o644) => {
    await mkdir(`${root}${to}`.replace(/\/[^/]*$/, ''), { recursive: true });
    await copyFile(from, `${root}${to}`);
    await chmod(`${root}${to}`, mode);
  };
  await place(`${PACKAGING}debian/onevault.sh`, '/usr/bin/onevault', 0o755);
  await place(`${PACKAGING}debian/onevault-as-service.sh`, '/usr/sbin/onevault-as-service', 0o755);
  for (const unit of await readdir(`${PACKAGING}systemd`)) await place(`${PACKAGING}systemd/${unit}`, `/lib/systemd/system/${unit}`);
  await place(`${PACKAGING}debian/server.env`, '/etc/onevault/server.env', 0o640);
  await place(`${PACKAGING}debian/copyright`, '/usr/share/doc/onevault/copyright');
  // Messages name pages as docs/operate/x.md; a proxy VM may have no other way to read them.
  await cp(`${ROOT}docs`, `${root}/usr/share/doc/onevault/docs`, { recursive: true });
  await symlink('docs/operate/README.md', `${root}/usr/share/doc/onevault/README.md`);
  await cp(`${PACKAGING}prometheus`, `${root}/usr/share/onevault/prometheus`, { recursive: true });
  await cp(`${PACKAGING}grafana`, `${root}/usr/share/onevault/grafana`, { recursive: true });
}

async function addControl(root, version) {
  const control = `${root}/DEBIAN`;
  const installedKib = Math.ceil(Number((await runStep('du', ['-sk', root])).split('\t')[0]));
  await mkdir(control);
  await writeFile(
    `${control}/control`,
    [
      'Package: onevault',
      `Version: ${version}`,
      'Architecture: amd64',
      'Maintainer: the onevault authors <onevault@example.org>',
      `Installed-Size: ${installedKib}`,
      // glibc and the C++ library of the Node that it brings; passwd for the user of the services.
      'Depends: libc6 (>= 2.28), libstdc++6 (>= 8), passwd',
      'Suggests: libguestfs-tools, lvm2',
      'Section: admin',
      'Priority: optional',
      'Homepage: https://github.com/onevault/onevault',
      'Description: backup and recovery for OpenNebula KVM virtual machines',
      ' Incremental backups without chains, into a directory or an S3 bucket, by attaching',
      ' copies of disks to a proxy VM. Restores of VMs, disks and files; web interface,',
      ' REST API, policies and workers.',
      '',
    ].join('\n'),
  );
  await writeFile(`${control}/conffiles`, '/etc/onevault/server.env\n');
  for (const script of ['postinst', 'prerm', 'postrm']) {
    await copyFile(`${PACKAGING}debian/${script}`, `${control}/${script}`);
    await chmod(`${control}/${script}`, 0o755);
  }
}

async function pack(root, deb, compression) {
  // Links into pnpm's store would be hard links of a foreign owner's file; modes must not depend on the umask of whoever packs.
  await runStep('chmod', ['-R', 'u+rwX,go+rX,go-w', `${root}/usr`]);
  const env = { ...process.env, SOURCE_DATE_EPOCH: EPOCH };
  await runStep('find', [root, '-exec', 'touch', '--no-dereference', `--date=@${EPOCH}`, '{}', '+']);
  await runStep('dpkg-deb', ['--root-owner-group', `-Z${compression}`, '--build', root, deb], { env });
}
