import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';

const MIB = 2 ** 20;
/** One operation may take so long; copies of whole disks too. */
const PATIENCE_MS = 60 * 60_000;

/** The cloud through the client library alone: what the product did is looked at without the product. */
export async function openCloud(onevault, env) {
  const [one, { systemClock }, { chooseIdentification, createAttacher, newSerial, readSysfsDisks }, { proxyHotplug }] = await Promise.all([
    onevault.load('@onevault/one-client'),
    onevault.load('@onevault/base'),
    onevault.load('@onevault/proxy-attach'),
    onevault.load('@onevault/orchestrator'),
  ]);
  const connection = await one.findConnection(env);
  const api = one.createOneClient(connection);
  const ids = { vm: one.vmId(idIn(env, 'ONEVAULT_REAL_VM')), proxy: one.vmId(idIn(env, 'ONEVAULT_REAL_PROXY')) };
  const sysfs = (options) => readSysfsDisks(env.ONEVAULT_PROXY_ROOT || '/', options);
  const identification = chooseIdentification(await api.version());
  const attacher = createAttacher({ api: proxyHotplug(api, ids.proxy), sysfs, clock: systemClock, identification });
  return new Cloud({ one, api, ids, me: await api.whoAmI(), attacher, newSerial });
}

function idIn(env, name) {
  const value = env[name] ?? '';
  if (!/^\d+$/.test(value)) throw new Error(`set ${name} to the id of a VM that may be used`);
  return Number(value);
}

class Cloud {
  constructor(parts) {
    Object.assign(this, parts);
    /** Names of what this script makes itself; what onevault makes for it is called onevault-… and ov-…. */
    this.prefix = `ov-try-${parts.ids.vm}-`;
  }

  vm(id = this.ids.vm) {
    return this.api.vm(id);
  }

  /** The disks that a backup must hold. */
  async imageDisks() {
    return (await this.vm()).disks.filter((disk) => disk.imageId !== undefined && !/CDROM$/.test(disk.type));
  }

  async reach(action, verdict, what) {
    await this.api.vmAction(this.ids.vm, action);
    return await this.api.waitForVm(this.ids.vm, verdict, { timeoutMs: PATIENCE_MS, what });
  }

  powerOff() {
    return this.reach('poweroff-hard', this.one.vmPoweredOff, 'the VM to be POWEROFF');
  }

  resume() {
    return this.reach('resume', this.one.vmRunning, 'the VM to be RUNNING');
  }

  /** SHA-256 of a disk of the VM that nobody writes to, from a copy made for it alone. */
  async digestOfDisk(disk, options) {
    const image = await this.api.saveDiskAs(this.ids.vm, disk.diskId, `${this.prefix}reference-${disk.diskId}`, undefined);
    await this.api.waitForVm(this.ids.vm, this.one.vmSettled, { timeoutMs: PATIENCE_MS, what: 'the disk to be saved' });
    await this.api.waitForImage(image, this.one.imageReady, { timeoutMs: PATIENCE_MS, what: 'the copy to be READY' });
    const digest = await this.digestOfImage(image, disk.sizeMiB, options);
    await this.deleteImage(image);
    return digest;
  }

  /** Read in the proxy, as a device. */
  async digestOfImage(imageId, sizeMiB, options = {}) {
    const serial = this.newSerial((length) => randomBytes(length));
    const attached = await this.attacher.attach({ imageId, sizeBytes: sizeMiB * MIB, serial, readOnly: true }, options);
    try {
      const hash = createHash('sha256');
      for await (const chunk of createReadStream(attached.devicePath, { highWaterMark: 4 * MIB, signal: options.signal })) hash.update(chunk);
      return hash.digest('hex');
    } finally {
      await this.attacher.detach({ serial, imageId });
    }
  }

  async deleteImage(id) {
    await this.api.waitForImage(id, (image) => (image?.vmIds.length ? 'wait' : 'done'), { timeoutMs: PATIENCE_MS, what: 'the image to be free' });
    await this.api.deleteImage(id);
    await this.api.waitForImage(id, this.one.imageGone, { timeoutMs: PATIENCE_MS, what: 'the image to be deleted' });
  }

  async terminate(id) {
    await this.api.vmAction(id, 'terminate-hard');
    await this.api.waitForVm(id, this.one.vmTerminated, { timeoutMs: PATIENCE_MS, what: 'the restored VM to be DONE' });
  }

  /** Everything of ours by name, and what must be as it was of the two VMs. */
  async census() {
    const mine = async (objects) => (await all(objects)).filter((object) => object.uid === this.me.id).map(({ id, name }) => `${id} ${name}`);
    const [vm, proxy] = [await this.vm(), await this.vm(this.ids.proxy)];
    return {
      vms: await mine(this.api.vms()),
      images: await mine(this.api.images()),
      templates: await mine(this.api.templates()),
      snapshots: vm.snapshots.flatMap((disk) => disk.snapshots.map(({ id, name }) => `disk ${disk.diskId} snapshot ${id} ${name}`)),
      disks: vm.disks.map((disk) => `disk ${disk.diskId} image ${disk.imageId}`),
      proxyDisks: proxy.disks.map((disk) => `disk ${disk.diskId} image ${disk.imageId}`),
      state: [this.one.vmStateName(vm)],
    };
  }

  /** Takes away what carries a name of ours, brings the VM back, and answers how the cloud differs from what it was. */
  async cleanUp(before) {
    const problems = [];
    const attempt = (work) => work().catch((error) => problems.push(error.message));
    for (const vm of (await all(this.api.vms())).filter((one) => this.isOurs(one))) await attempt(() => this.terminate(vm.id));
    for (const image of (await all(this.api.images())).filter((one) => this.isOurs(one))) await attempt(() => this.deleteImage(image.id));
    const vm = await this.api.waitForVm(this.ids.vm, this.one.vmSettled, { timeoutMs: PATIENCE_MS, what: 'the VM to be idle' });
    if (this.one.vmStateName(vm) !== before.state[0]) await attempt(() => this.resume());
    const after = await this.census();
    return [...problems, ...Object.keys(before).flatMap((kind) => differences(kind, before[kind], after[kind]))];
  }

  isOurs({ name, uid }) {
    return name.startsWith(this.prefix) && uid === this.me.id;
  }

  close() {
    return this.api[Symbol.asyncDispose]();
  }
}

function differences(kind, before, after) {
  return [
    ...after.filter((entry) => !before.includes(entry)).map((entry) => `${kind}: ${entry} is new`),
    ...before.filter((entry) => !after.includes(entry)).map((entry) => `${kind}: ${entry} is gone`),
  ];
}

async function all(objects) {
  const found = [];
  for await (const object of objects) found.push(object);
  return found;
}
