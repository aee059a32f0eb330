/** A guestfish that answers as told, and archives that no honest program would write. @packageDocumentation */
export { type FakeAnswer, type FakeAnswers, fakeGuestfish } from './fake-guestfish.ts';
export { type ArchiveEntry, tarArchive } from './tar-archive.ts';
