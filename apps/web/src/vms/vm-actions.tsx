import { Button, Modal, NativeSelect, Radio } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { IconArchive, IconDeviceFloppy, IconFolder, IconLock } from '@tabler/icons-react';
import { useQuery } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import type { VmDetail } from '../api/answers.ts';
import { call } from '../api/calls.ts';
import { useMay } from '../session/session.tsx';
import { LinkButton } from '../show/link-button.tsx';
import { Notice, ProblemNotice } from '../show/notice.tsx';
import { Loaded } from '../show/page.tsx';
import { newKey, useStartRun } from '../show/use-act.ts';

export function VmActions({ vm }: { readonly vm: VmDetail }) {
  const operator = useMay('operator');
  const [opened, backup] = useDisclosure(false);
  const { newestPoint } = vm;
  if (!operator) return null;
  return (
    <>
      {vm.exists && (
        <Button variant="filled" leftSection={<IconDeviceFloppy size={15} />} onClick={backup.open}>
          Back up
        </Button>
      )}
      {newestPoint !== undefined && (
        <>
          <LinkButton
            to="/restore"
            search={{ vmId: String(vm.id), repository: newestPoint.repository, pointId: newestPoint.id }}
            leftSection={<IconArchive size={15} />}
          >
            Restore
          </LinkButton>
          <LinkButton to="/points/$repository/$pointId/files" params={pointParams(newestPoint)} leftSection={<IconFolder size={15} />}>
            Browse files
          </LinkButton>
          <LinkButton to="/points/$repository/$pointId" params={pointParams(newestPoint)} leftSection={<IconLock size={15} />}>
            Hold
          </LinkButton>
        </>
      )}
      <Modal opened={opened} onClose={backup.close} title={`Back up ${vm.name}`} closeButtonProps={{ 'aria-label': 'close' }}>
        {opened && <BackupForm vm={vm} />}
      </Modal>
    </>
  );
}

function pointParams({ repository, id }: { readonly repository: string; readonly id: string }): { repository: string; pointId: string } {
  return { repository, pointId: id };
}

/** A backup out of turn. */
function BackupForm({ vm }: { readonly vm: VmDetail }) {
  const repositories = useQuery({ queryKey: ['repositories'], queryFn: ({ signal }) => call('listRepositories', {}, { signal }) });
  const policies = 'policies' in vm.protection ? vm.protection.policies : [];
  const [key] = useState(newKey);
  const [chosen, setChosen] = useState<string>();
  const [mode, setMode] = useState<'auto' | 'full'>('auto');
  const [policy, setPolicy] = useState(policies[0] ?? '');
  const start = useStartRun();
  return (
    <Loaded asked={repositories}>
      {(all) => {
        const repository = chosen ?? vm.newestPoint?.repository ?? all[0]?.name;
        const submit = (event: FormEvent): void => {
          event.preventDefault();
          if (repository === undefined) return;
          start.mutate({ request: { kind: 'backup', vmId: vm.id, repository, mode, ...(policy !== '' && { policy }) }, key });
        };
        if (all.length === 0) return <Notice tone="warn">There is no repository yet.</Notice>;
        return (
          <form className="ov-stack" onSubmit={submit}>
            {vm.verdict === 'impossible' && <Notice tone="warn">As it stands OpenNebula would refuse it: see the disks.</Notice>}
            <NativeSelect label="To" data={all.map(({ name }) => name)} value={repository ?? ''} onChange={(event) => setChosen(event.currentTarget.value)} />
            {policies.length > 0 && (
              <NativeSelect
                label="As for the policy"
                description="its options, excluded disks and retention hold"
                data={[...policies, { value: '', label: 'none' }]}
                value={policy}
                onChange={(event) => setPolicy(event.currentTarget.value)}
              />
            )}
            <Radio.Group label="Read" value={mode} onChange={(value) => setMode(value === 'full' ? 'full' : 'auto')}>
              <div className="ov-stack" style={{ gap: '0.4rem', marginTop: '0.3rem' }}>
                <Radio value="auto" label="what changed" description="every restore point is complete in itself" size="xs" />
                <Radio value="full" label="everything, and look every block up" description="slower; trusts nothing" size="xs" />
              </div>
            </Radio.Group>
            {start.error !== null && <ProblemNotice error={start.error} />}
            <div className="ov-actions">
              <Button type="submit" variant="filled" loading={start.isPending}>
                Back up now
              </Button>
            </div>
          </form>
        );
      }}
    </Loaded>
  );
}
