/** What a request is for, as far as its refusal must know: what was not done, or may have been. */
export type Asked = 'credentials' | 'key' | 'revocation' | 'lifting' | 'question';

/** Tells what a request is for by its first line. */
export function askedBy({ method, path }: { readonly method: string; readonly path: string }): Asked {
  if (path === '/') return 'credentials';
  if (path === '/keys') return 'key';
  if (method === 'DELETE') return 'lifting';
  return method === 'POST' ? 'revocation' : 'question';
}

/** What was surely not done, in words. */
export const NOT_DONE: Readonly<Record<Asked, string>> = {
  credentials: 'Nothing was vended',
  key: 'No key was minted',
  revocation: 'Nothing was revoked',
  lifting: 'Nothing was lifted',
  question: 'There is no answer',
};

/** What may have been done, in words. Credentials and keys that nobody got are as if they had not been made. */
export const MAYBE_DONE: Readonly<Record<Asked, string>> = {
  ...NOT_DONE,
  revocation: 'It is not certain that it was revoked (GET /revocations tells)',
  lifting: 'It is not certain that it was lifted (GET /revocations tells)',
};
