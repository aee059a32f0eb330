import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import type { RunAsked } from '../api/answers.ts';
import { call } from '../api/calls.ts';

const NOTE = { withBorder: true, closeButtonProps: { 'aria-label': 'close' } };

interface ActOptions<Input, Answer> {
  readonly renews: readonly string[];
  readonly done?: (answer: Answer, input: Input) => string;
  /** Where it goes on. It comes before anything is asked again: what the page shows then may no longer have the button that was pressed. */
  readonly onDone?: ((answer: Answer) => void) | undefined;
}

/** Something that changes. What the server answers is said; what depends on it is asked again, whether it worked or not. */
export function useAct<Input, Answer>(does: (input: Input) => Promise<Answer>, options: ActOptions<Input, Answer>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: does,
    onSuccess: (answer, input) => {
      const message = options.done?.(answer, input);
      if (message !== undefined) notifications.show({ message, color: 'teal', ...NOTE });
      options.onDone?.(answer);
    },
    onSettled: () => Promise.all(options.renews.map((key) => client.invalidateQueries({ queryKey: [key] }))),
  });
}

/** Asks for a run and goes to its page. Each asking has its own key: pressing twice asks once. Who asks shows `error` where it was asked. */
export function useStartRun() {
  const client = useQueryClient();
  const navigate = useNavigate();
  return useMutation({
    mutationFn: ({ request, key }: { readonly request: RunAsked; readonly key: string }) => call('startRun', { body: request }, { idempotencyKey: key }),
    onSuccess: ({ id }) => {
      notifications.show({ message: `The server has taken it: run ${id}`, color: 'teal', ...NOTE });
      void client.invalidateQueries({ queryKey: ['runs'] });
      void navigate({ to: '/runs/$runId', params: { runId: id } });
    },
  });
}

/** A key for one asking. */
export function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
