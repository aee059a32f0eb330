import { notifications } from '@mantine/notifications';
import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import type { RunAsked } from '../api/answers.ts';
import { call } from '../api/calls.ts';
import { problemIn } from './notice.tsx';

const NOTE = { withBorder: true, closeButtonProps: { 'aria-label': 'close' } };

/** Something that changes. What the server answers is said; what depends on it is asked again, whether it worked or not. */
export function useAct<Input, Answer>(
  does: (input: Input) => Promise<Answer>,
  options: { readonly renews: readonly string[]; readonly done?: (answer: Answer, input: Input) => string },
) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: does,
    onSuccess: (answer, input) => {
      const message = options.done?.(answer, input);
      if (message !== undefined) notifications.show({ message, color: 'teal', ...NOTE });
    },
    onSettled: () => Promise.all(options.renews.map((key) => client.invalidateQueries({ queryKey: [key] }))),
  });
}

/** Asks for a run and goes to its page. Each asking has its own key: pressing twice asks once. */
export function useStartRun(options: { readonly stay?: boolean } = {}) {
  const client = useQueryClient();
  const navigate = useNavigate();
  return useMutation({
    mutationFn: ({ request, key }: { readonly request: RunAsked; readonly key: string }) => call('startRun', { body: request }, { idempotencyKey: key }),
    onSuccess: ({ id }) => {
      notifications.show({ message: `The server has taken it: run ${id}`, color: 'teal', ...NOTE });
      void client.invalidateQueries({ queryKey: ['runs'] });
      if (options.stay !== true) void navigate({ to: '/runs/$runId', params: { runId: id } });
    },
    onError: (error) => {
      const { code, detail } = problemIn(error);
      notifications.show({ title: code, message: detail, color: 'danger', ...NOTE, autoClose: 10_000 });
    },
  });
}

/** A key for one asking. */
export function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
