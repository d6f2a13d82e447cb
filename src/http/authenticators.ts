import type { Authenticator } from '../identity/authenticator.ts';
import { FORWARDED_SCHEME } from '../sigv4/forwarded.ts';
import { headerValues, type WireHead } from '../sigv4/request.ts';

/**
 * The ways in which callers of this server can prove who they are, fixed at the start: either AWS
 * verifies them at the front, and nothing else counts, or they sign in the Authorization header.
 */
export type Authenticators =
  | { readonly front: Authenticator }
  | { readonly signed: Authenticator; readonly forwarded: Authenticator };

/**
 * Makes what chooses by the scheme of the Authorization header. Any other scheme, and more than one
 * header, goes to the verifier of SigV4, which says what is expected.
 */
export function chooseAuthenticator(
  authenticators: Authenticators,
): (head: WireHead) => Authenticator {
  function authenticatorFor({ headers }: WireHead): Authenticator {
    if ('front' in authenticators) return authenticators.front;
    const { signed, forwarded } = authenticators;
    const isForwarded =
      headerValues(headers, 'authorization')[0]?.startsWith(`${FORWARDED_SCHEME} `) === true;
    return isForwarded ? forwarded : signed;
  }

  return authenticatorFor;
}
