import { useMutation } from '@tanstack/react-query';
import { useState } from 'react';
import type { Repository } from '../api/answers.ts';
import { call } from '../api/calls.ts';
import { isUsable, type PlaceCheck } from './place-verdict.tsx';

export interface Where {
  readonly place: string;
  readonly secretFile?: string | undefined;
}

/** A place as it is typed, and what the server has found there: of another place than the one that was looked at nothing is known. */
export function useLookedAt(known: Repository | undefined) {
  const [place, setPlace] = useState(known?.place ?? '');
  const [secretFile, setSecretFile] = useState(known?.secretFile ?? '');
  const where: Where = { place: place.trim(), ...(secretFile.trim() !== '' && { secretFile: secretFile.trim() }) };
  const look = useMutation({ mutationFn: (body: Where) => call('checkRepository', { body }) });
  const isLookedAt = look.variables !== undefined && isSame(look.variables, where);
  const found: PlaceCheck | undefined = isLookedAt ? look.data : undefined;
  const isAsBefore = known?.place !== undefined && isSame({ ...known, place: known.place }, where);
  return {
    fields: { place, setPlace, secretFile, setSecretFile },
    where,
    found,
    error: isLookedAt ? look.error : null,
    isLooking: look.isPending,
    look: () => look.mutate(where),
    isAsBefore,
    isReady: isAsBefore || (found !== undefined && isUsable(found)),
  };
}

function isSame(one: Where, other: Where): boolean {
  return one.place === other.place && one.secretFile === other.secretFile;
}
