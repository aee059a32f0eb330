import { ActionIcon, CopyButton } from '@mantine/core';
import { IconCheck, IconCopy } from '@tabler/icons-react';

/** An id, a code, an address: with a button that copies it. */
export function Copyable({ text, label = text, short }: { readonly text: string; readonly label?: string; readonly short?: string }) {
  return (
    <span className="ov-copyable">
      <code title={text}>{short ?? text}</code>
      <CopyButton value={text} timeout={1500}>
        {({ copied, copy }) => (
          <ActionIcon size={18} variant="subtle" color="gray" onClick={copy} aria-label={copied ? `copied ${label}` : `copy ${label}`}>
            {copied ? <IconCheck size={13} className="ov-tone-ok" /> : <IconCopy size={13} />}
          </ActionIcon>
        )}
      </CopyButton>
    </span>
  );
}
