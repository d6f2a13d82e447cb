import type { Clock } from '../../lib/clock.ts';
import { ok } from '../../lib/result.ts';
import { isProfileName } from '../../policy/profile-name.ts';
import { listProfiles } from '../../actions/list-profiles.ts';
import type { Authenticate } from '../authenticate.ts';
import { authenticated } from '../endpoint.ts';
import { invalid, NEXT, readQuery } from '../fields.ts';

type Dependencies = { readonly authenticate: Authenticate; readonly clock: Clock };

const PAGE = 100;

/** The token of a page is the last name before it, encoded so that nobody builds upon that. */
function toToken(name: string): string {
  return Buffer.from(name).toString('base64url');
}
function fromToken(token: string): string {
  return Buffer.from(token, 'base64url').toString();
}
function isToken(token: string): boolean {
  return isProfileName(fromToken(token)) && toToken(fromToken(token)) === token;
}

/** `GET /profiles`: what this caller could vend or request now, by name, 100 a page. */
export function createProfilesHandler({ authenticate, clock }: Dependencies) {
  return authenticated(authenticate, ({ caller, snapshot, request }) => {
    const query = readQuery(request, [NEXT]);
    if (!query.ok) return query;
    const token = query.value[NEXT];
    if (token !== undefined && !isToken(token)) {
      return invalid(`${NEXT} is not one that this server gave out.`, NEXT);
    }
    const after = token === undefined ? '' : fromToken(token);
    const rest = listProfiles(snapshot, caller, clock()).filter(({ name }) => name > after);
    const page = rest.slice(0, PAGE);
    const last = rest.length > PAGE ? page.at(-1) : undefined;
    return ok({
      profiles: page.map(({ name, access, description, maxSeconds }) => ({
        name,
        access,
        description,
        max_duration: maxSeconds,
      })),
      ...(last === undefined ? {} : { next_token: toToken(last.name) }),
    });
  });
}
