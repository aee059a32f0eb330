import { useNavigate } from '@tanstack/react-router';
import { useCallback, useEffect, useRef } from 'react';
import type { Destination } from './navigation.ts';

const WAIT_MS = 1200;

/** The browser's own, or meant for a field. */
function isOthers({ ctrlKey, metaKey, altKey, target }: KeyboardEvent): boolean {
  if (ctrlKey || metaKey || altKey) return true;
  return target instanceof HTMLElement && (target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName));
}

/** `g` and a letter goes somewhere, `/` to the search, `?` shows all of this. Never while somebody types, never with Ctrl, Alt or Meta. */
export function useShortcuts(destinations: readonly Destination[], onHelp: () => void): void {
  const navigate = useNavigate();
  const goTo = useCallback(
    (pressed: string) => {
      const destination = destinations.find(({ key }) => key === pressed);
      if (destination !== undefined) void navigate({ to: destination.to });
    },
    [destinations, navigate],
  );
  const act = useCallback(
    (event: KeyboardEvent) => {
      if (event.key === '/') toSearch(event);
      if (event.key === '?') onHelp();
    },
    [onHelp],
  );
  const goneAt = useRef(Number.NEGATIVE_INFINITY);
  useEffect(() => {
    const pressed = (event: KeyboardEvent): void => {
      if (isOthers(event)) return;
      const afterG = event.timeStamp - goneAt.current < WAIT_MS;
      goneAt.current = event.key === 'g' && !afterG ? event.timeStamp : Number.NEGATIVE_INFINITY;
      if (afterG) goTo(event.key);
      else act(event);
    };
    window.addEventListener('keydown', pressed);
    return () => window.removeEventListener('keydown', pressed);
  }, [goTo, act]);
}

function toSearch(event: KeyboardEvent): void {
  event.preventDefault();
  document.querySelector<HTMLInputElement>('main [data-search]')?.focus();
}
