import { ServerError } from '../errors.ts';

/** The request asks of an operation what only another kind of run has. */
export function wrongKind(kind: string): ServerError {
  return new ServerError({
    code: 'SERVER_REQUEST_INVALID',
    message: `there is no preview of '${kind}'`,
    hint: 'restore, restore-in-place and undo have one; getVm says what a backup would do',
  });
}

/** Written by another program, or a later onevault. */
export function pointOfNobody(pointId: string): ServerError {
  return new ServerError({
    code: 'SERVER_REQUEST_INVALID',
    message: `restore point ${pointId} does not say which VM it is of`,
    hint: 'restore it as a new VM, or in place with the CLI beside the cloud, which can be told the VM',
  });
}

export function unknownAnswer(question: string, answer: string, choices: readonly string[] | undefined): ServerError {
  return new ServerError({
    code: 'SERVER_REQUEST_INVALID',
    message: choices === undefined ? `there is no question '${question}'` : `'${answer}' does not answer ${question}`,
    hint: choices === undefined ? 'restoreChoices lists the questions' : `answers: ${choices.join(', ')}`,
  });
}

/** `what`: network, user, group. */
export function notOne(what: string, name: string, found: number): ServerError {
  return new ServerError({
    code: 'SERVER_REQUEST_INVALID',
    message: found === 0 ? `there is no ${what} '${name}'` : `${found} ${what}s are named '${name}'`,
    hint: what === 'network' ? 'name it by its id; restoreChoices lists those that you may use' : `name it by its id; one${what} list shows it`,
  });
}
