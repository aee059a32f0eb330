/** A worker and what its proxy VM reaches, as it last said itself. */
export interface WorkerStanding {
  readonly name: string;
  readonly proxyVm: { readonly id: number; readonly name: string } | undefined;
  readonly lastSeenAt: Date;
  readonly running: number;
  readonly slots: number;
  readonly datastores: readonly {
    readonly id: number;
    readonly name: string;
    readonly reachable: boolean;
    readonly reasons: readonly { readonly code: string; readonly text: string }[];
  }[];
}

export interface WorkerRegistry {
  list(): Promise<readonly WorkerStanding[]>;
}
