import { NEXT_TOKEN } from '../../contract/fields.ts';
import { ROUTES } from '../../contract/routes.ts';
import type { Clock } from '../../lib/clock.ts';
import { isProfileName } from '../../lib/profile-name.ts';
import { ok } from '../../lib/result.ts';
import { listProfiles as listProfilesOf } from '../../actions/list-profiles.ts';
import type { Authentic, Outcome } from '../endpoint.ts';
import { invalid, readQuery } from '../fields.ts';

type Dependencies = { readonly clock: Clock };

/** Profiles of a page. */
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
export function createProfileEndpoints({ clock }: Dependencies) {
  function listProfiles({ caller, snapshot, request }: Authentic): Outcome<'listProfiles'> {
    const query = readQuery(request, ROUTES.listProfiles.query);
    if (!query.ok) return query;
    const token = query.value[NEXT_TOKEN];
    if (token !== undefined && !isToken(token)) {
      return invalid(`${NEXT_TOKEN} is not one that this server gave out.`, NEXT_TOKEN);
    }
    const after = token === undefined ? '' : fromToken(token);
    const rest = listProfilesOf(snapshot, caller, clock()).filter(({ name }) => name > after);
    const page = rest.slice(0, PAGE);
    const last = rest.length > PAGE ? page.at(-1) : undefined;
    return ok({
      profiles: page.map(({ name, access, description, maxSeconds }) => ({
        name,
        access,
        description,
        max_duration: maxSeconds,
      })),
      next_token: last === undefined ? undefined : toToken(last.name),
    });
  }

  return { listProfiles };
}
