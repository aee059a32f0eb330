import { Button, PasswordInput, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useEffect } from 'react';
import { call } from '../api/calls.ts';
import { keepCsrfToken } from '../api/http.ts';
import { ProblemNotice } from '../show/notice.tsx';
import { SESSION_KEY } from './session-key.ts';

export function SignIn() {
  const client = useQueryClient();
  useEffect(() => {
    document.title = 'Sign in · onevault';
  }, []);
  const signIn = useMutation({
    mutationFn: (body: { user: string; password: string }) => call('signIn', { body }),
    onSuccess: (session) => {
      keepCsrfToken(session.csrfToken);
      client.removeQueries({ predicate: ({ queryKey }) => queryKey[0] !== SESSION_KEY[0] });
      client.setQueryData(SESSION_KEY, session);
    },
  });
  const { oidc } = useQuery({ queryKey: ['sign-in-options'], queryFn: ({ signal }) => call('signInOptions', {}, { signal }) }).data ?? {};
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget);
    signIn.mutate({ user: String(fields.get('user')), password: String(fields.get('password')) });
  };
  return (
    <main className="ov-gate">
      <form className="ov-gate-card" onSubmit={submit}>
        <h1 className="ov-brand">
          <img src="/icon.svg" alt="" width={28} height={28} /> onevault
        </h1>
        <p className="ov-dim" style={{ margin: 0 }}>
          Sign in with your OpenNebula user. You see and touch what OpenNebula lets you see and touch.
        </p>
        <TextInput name="user" label="User" autoComplete="username" required autoFocus size="sm" />
        <PasswordInput name="password" label="Password or login token" autoComplete="current-password" required size="sm" />
        {signIn.error !== null && <ProblemNotice error={signIn.error} />}
        <Button type="submit" variant="filled" size="sm" loading={signIn.isPending}>
          Sign in
        </Button>
        {oidc !== undefined && (
          <Button component="a" href={oidc.startPath} size="sm">
            Sign in with {oidc.name}
          </Button>
        )}
      </form>
    </main>
  );
}
