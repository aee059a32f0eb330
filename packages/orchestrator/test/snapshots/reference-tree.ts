/** OpenNebula's snapshot trees once more, from opennebula.md d and e alone and on plain arrays: what the plans are held against. */
export type Mode = 'NO' | 'YES' | 'MIXED' | 'LINEAR';

export interface RefSnapshot {
  id: number;
  name: string;
  parent: number;
  active: boolean;
}

export interface RefTree {
  mode: Mode;
  persistent: boolean;
  next: number;
  base: number;
  all: RefSnapshot[];
}

export function refTree(mode: Mode, persistent: boolean): RefTree {
  return { mode, persistent, next: 0, base: -1, all: [] };
}

const childrenOf = (tree: RefTree, id: number): RefSnapshot[] => tree.all.filter((one) => one.parent === id);

export function refCreate(tree: RefTree, name: string): void {
  const active = tree.all.find((one) => one.active);
  const parent = tree.mode === 'NO' ? (active?.id ?? -1) : tree.mode === 'MIXED' ? tree.base : -1;
  const moves = tree.mode !== 'MIXED';
  if (moves) for (const one of tree.all) one.active = false;
  tree.all.push({ id: tree.next++, name, parent, active: moves });
}

export function refRevert(tree: RefTree, id: number): void {
  if (tree.mode === 'LINEAR') tree.all = tree.all.filter((one) => one.id <= id);
  if (tree.mode === 'MIXED') tree.base = id;
  for (const one of tree.all) one.active = one.id === id;
}

/** Whether OpenNebula itself says yes (e.2). */
export function refAccepts(tree: RefTree, id: number): boolean {
  const one = tree.all.find((entry) => entry.id === id);
  if (one === undefined) return false;
  const children = childrenOf(tree, id);
  if (tree.mode === 'YES') return true;
  if (tree.mode === 'MIXED') return !one.active && children.length === 0;
  if (tree.persistent && id === 0) return false;
  if (children.length > 1) return false;
  const [child] = children;
  if (child === undefined) return true;
  const grandchildren = childrenOf(tree, child.id).length;
  if (one.active || grandchildren > 1 || (grandchildren === 1 && child.active)) return false;
  return !tree.all.some((entry) => entry.id === one.parent) || childrenOf(tree, one.parent).length === 1;
}

export function refDelete(tree: RefTree, id: number): void {
  const one = tree.all.find((entry) => entry.id === id);
  if (one === undefined) throw new Error(`snapshot ${id} does not exist`);
  const parent = tree.all.find((entry) => entry.id === one.parent);
  const chained = tree.mode === 'NO' || tree.mode === 'MIXED';
  if (chained && parent !== undefined) {
    const children = childrenOf(tree, id);
    if (children.length === 1) for (const child of children) child.parent = parent.id;
    parent.active ||= one.active;
  }
  tree.all = tree.all.filter((entry) => entry !== one);
}
