/** What a request is for, as far as its refusal must know: what was not done, or may have been. */
export type Asked = 'credentials' | 'key' | 'revocation' | 'lifting' | 'question';

/** Tells what a request is for by its first line. */
export function askedBy({ method, path }: { readonly method: string; readonly path: string }): Asked {
  if (path === '/') return 'credentials';
  if (path === '/keys') return 'key';
  if (method === 'DELETE') return 'lifting';
  return method === 'POST' ? 'revocation' : 'question';
}
