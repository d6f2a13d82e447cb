import type { Clock } from '../../lib/clock.ts';
import { listProfiles } from '../../vend/list-profiles.ts';
import { jsonAnswer, refusalAnswer, type Answer } from '../answer.ts';
import type { Arrival, Authenticate } from '../authenticate.ts';

type Dependencies = { readonly authenticate: Authenticate; readonly clock: Clock };

const PAGE = 100;

const NEXT = 'next_token';

/** The token of a page is the last name before it, encoded so that nobody builds upon that. */
const toToken = (name: string): string => Buffer.from(name).toString('base64url');
const fromToken = (token: string): string => Buffer.from(token, 'base64url').toString();

/** `GET /profiles`: what this caller could vend or request now, by name, 100 a page. */
export const createProfilesHandler =
  ({ authenticate, clock }: Dependencies) =>
  async (arrival: Arrival): Promise<Answer> => {
    const { requestId } = arrival;
    const authentic = await authenticate(arrival);
    if (!authentic.ok) return refusalAnswer(requestId, authentic.refusal);
    const { caller, snapshot, request } = authentic.value;
    const unknown = [...request.query.keys()].find((key) => key !== NEXT);
    if (unknown !== undefined || request.body.length > 0) {
      const message =
        unknown === undefined
          ? 'GET takes no body.'
          : `The query parameter "${unknown}" is not known here; there is only ${NEXT}.`;
      return refusalAnswer(requestId, {
        kind: 'invalid',
        message,
        ...(unknown === undefined ? {} : { field: unknown }),
      });
    }
    const token = request.query.get(NEXT);
    if (token === '' || (token !== undefined && toToken(fromToken(token)) !== token)) {
      return refusalAnswer(requestId, {
        kind: 'invalid',
        message: `${NEXT} is not one that this server gave out.`,
        field: NEXT,
      });
    }
    const after = token === undefined ? '' : fromToken(token);
    const rest = listProfiles(snapshot, caller, clock()).filter(({ name }) => name > after);
    const page = rest.slice(0, PAGE);
    const last = rest.length > PAGE ? page.at(-1) : undefined;
    return jsonAnswer(requestId, {
      profiles: page.map(({ name, access, description, maxSeconds }) => ({
        name,
        access,
        description,
        max_duration: maxSeconds,
      })),
      ...(last === undefined ? {} : { next_token: toToken(last.name) }),
    });
  };
