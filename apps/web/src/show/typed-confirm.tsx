import { Button, Modal, TextInput } from '@mantine/core';
import { type FormEvent, type ReactNode, useState } from 'react';
import { ProblemNotice } from './notice.tsx';

interface TypedConfirmProps {
  readonly opened: boolean;
  readonly onClose: () => void;
  readonly title: string;
  /** What has to be typed; absent: a press is enough. */
  readonly word?: string;
  readonly children: ReactNode;
  readonly verb: string;
  readonly pending: boolean;
  readonly error: unknown;
  readonly onConfirm: () => void;
}

/** Before what cannot be taken back: says what happens, and wants the name typed. */
export function TypedConfirm(props: TypedConfirmProps) {
  return (
    <Modal opened={props.opened} onClose={props.onClose} title={props.title} closeButtonProps={{ 'aria-label': 'close' }}>
      {props.opened && <ConfirmForm {...props} />}
    </Modal>
  );
}

function ConfirmForm({ onClose, word, children, verb, pending, error, onConfirm }: TypedConfirmProps) {
  const [typed, setTyped] = useState('');
  const ready = word === undefined || typed === word;
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    if (ready) onConfirm();
  };
  return (
    <form className="ov-stack" onSubmit={submit}>
      <div>{children}</div>
      {word !== undefined && (
        <TextInput
          label={
            <>
              Type <code>{word}</code> to go on
            </>
          }
          value={typed}
          onChange={(event) => setTyped(event.currentTarget.value)}
          autoComplete="off"
          data-autofocus
        />
      )}
      {error !== null && error !== undefined && <ProblemNotice error={error} />}
      <div className="ov-actions">
        <Button type="submit" variant="filled" color="danger" disabled={!ready} loading={pending}>
          {verb}
        </Button>
        <Button onClick={onClose}>Cancel</Button>
      </div>
    </form>
  );
}
