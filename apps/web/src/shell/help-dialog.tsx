import { Kbd, Modal } from '@mantine/core';
import type { ReactNode } from 'react';
import type { Destination } from './navigation.ts';

export function HelpDialog({
  opened,
  onClose,
  destinations,
}: {
  readonly opened: boolean;
  readonly onClose: () => void;
  readonly destinations: readonly Destination[];
}) {
  const keys: readonly (readonly [ReactNode, string])[] = [
    [<Kbd key="k">/</Kbd>, 'search'],
    [<Kbd key="k">?</Kbd>, 'this help'],
    [
      <span key="k">
        <Kbd>↑</Kbd> <Kbd>↓</Kbd> <Kbd>Enter</Kbd>
      </span>,
      'walk a list, open a row',
    ],
    [<Kbd key="k">Esc</Kbd>, 'close a dialog'],
    ...destinations.map(({ key, title }): readonly [ReactNode, string] => [
      <span key="k">
        <Kbd>g</Kbd> <Kbd>{key}</Kbd>
      </span>,
      title,
    ]),
  ];
  return (
    <Modal opened={opened} onClose={onClose} title="Keyboard" closeButtonProps={{ 'aria-label': 'close' }}>
      <dl className="ov-keys">
        {keys.map(([key, what]) => (
          <div key={what} style={{ display: 'contents' }}>
            <dt>{key}</dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
    </Modal>
  );
}
