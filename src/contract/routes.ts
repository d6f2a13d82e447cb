import * as v from 'valibot';
import { BREAK_GLASS_ROUTES } from './break-glass-routes.ts';
import { KEY_SECONDS, VEND_SECONDS } from './bounds.ts';
import {
  fields,
  instant,
  justification,
  NEXT_TOKEN,
  profileName,
  reason,
  REVOCATION_ID,
  REVOCATION_KINDS,
  revokedValue,
  seconds,
  secondsText,
  SESSION_ID,
  SESSION_STATUSES,
  sessionLabel,
  ticket,
  userName,
} from './fields.ts';
import { REQUEST_ROUTES } from './request-routes.ts';
import { IDENTIFIED, NO_FIELDS, type Route } from './route.ts';
import {
  Done,
  Health,
  Lifted,
  MintedKey,
  ProfilesPage,
  Readiness,
  Revocations,
  Revoked,
  Session,
  SessionsPage,
  Vended,
  Whoami,
} from './shapes.ts';

/** Of a vend; `device_id` is what Sentinel's clients send, and nothing here can verify a device. */
const VEND_FIELDS = {
  profile: profileName,
  session_label: v.optional(sessionLabel),
  device_id: v.optional(v.unknown()),
};

const VEND_OPTIONS = { quiet: ['device_id'], hints: { profile: 'GET /profiles lists yours' } };

/** What the endpoints have in common that tell of the server alone. */
const OPEN = {
  method: 'GET',
  identity: false,
  head: true,
  asks: 'question',
  query: NO_FIELDS,
  status: 200,
} as const;

/**
 * Every endpoint, by the name of its operation. The app, the 405s and the 404, the labels of
 * metrics, and what the client asks are made of this table.
 */
export const ROUTES = {
  vend: {
    ...IDENTIFIED,
    method: 'GET',
    path: '/',
    does: 'vends credentials for a profile',
    asks: 'credentials',
    query: fields(
      { ...VEND_FIELDS, duration: v.optional(secondsText(VEND_SECONDS)) },
      VEND_OPTIONS,
    ),
    answer: Vended,
  },
  vendByPost: {
    ...IDENTIFIED,
    method: 'POST',
    path: '/',
    does: 'vends credentials for a profile',
    asks: 'credentials',
    body: fields(
      {
        ...VEND_FIELDS,
        duration: v.optional(seconds(VEND_SECONDS)),
        justification: v.optional(justification),
        ticket: v.optional(ticket),
      },
      VEND_OPTIONS,
    ),
    example: '{"profile":"dev"}',
    answer: Vended,
  },
  listProfiles: {
    ...IDENTIFIED,
    method: 'GET',
    path: '/profiles',
    does: 'lists your profiles',
    asks: 'question',
    query: fields({ [NEXT_TOKEN]: v.optional(v.string()) }),
    answer: ProfilesPage,
  },
  mintKey: {
    ...IDENTIFIED,
    method: 'POST',
    path: '/keys',
    does: 'mints a key',
    asks: 'key',
    body: fields({ duration: v.optional(seconds(KEY_SECONDS)) }),
    example: '{"duration":900}, or {}',
    answer: MintedKey,
  },
  whoami: {
    ...IDENTIFIED,
    method: 'GET',
    path: '/whoami',
    does: 'says who you are',
    asks: 'question',
    query: NO_FIELDS,
    answer: Whoami,
  },
  listSessions: {
    ...IDENTIFIED,
    method: 'GET',
    path: '/sessions',
    does: 'lists sessions',
    asks: 'question',
    query: fields({
      user: v.optional(userName),
      profile: v.optional(profileName),
      status: v.optional(
        v.picklist(SESSION_STATUSES, `must be one of ${SESSION_STATUSES.join(', ')}`),
      ),
      since: v.optional(instant),
      until: v.optional(instant),
      [NEXT_TOKEN]: v.optional(v.string()),
    }),
    answer: SessionsPage,
  },
  showSession: {
    ...IDENTIFIED,
    method: 'GET',
    path: '/sessions/:id',
    does: 'shows one session',
    asks: 'question',
    id: SESSION_ID,
    query: NO_FIELDS,
    answer: Session,
  },
  revokeSession: {
    ...IDENTIFIED,
    method: 'POST',
    path: '/sessions/:id/revoke',
    does: 'revokes one session',
    asks: 'revocation',
    id: SESSION_ID,
    body: fields({ reason }),
    example: '{"reason":"laptop stolen"}',
    answer: Done,
  },
  listRevocations: {
    ...IDENTIFIED,
    method: 'GET',
    path: '/revocations',
    does: 'lists the revocations in force',
    asks: 'question',
    query: NO_FIELDS,
    answer: Revocations,
  },
  revoke: {
    ...IDENTIFIED,
    method: 'POST',
    path: '/revocations',
    does: 'revokes a user, a principal, a profile, a session or everything',
    asks: 'revocation',
    body: fields({
      kind: v.picklist(REVOCATION_KINDS, `must be one of ${REVOCATION_KINDS.join(', ')}`),
      value: v.optional(revokedValue),
      reason,
      until: v.optional(instant),
    }),
    example: '{"kind":"user","value":"alice","reason":"laptop stolen"}',
    answer: Revoked,
    status: 201,
  },
  lift: {
    ...IDENTIFIED,
    method: 'DELETE',
    path: '/revocations/:id',
    does: 'lifts a revocation',
    asks: 'lifting',
    id: REVOCATION_ID,
    query: NO_FIELDS,
    answer: Lifted,
  },
  ...REQUEST_ROUTES,
  ...BREAK_GLASS_ROUTES,
  health: {
    ...OPEN,
    path: '/healthz',
    does: 'says whether this instance should get requests',
    answer: Health,
  },
  readiness: {
    ...OPEN,
    path: '/readyz',
    does: 'says whether requests can be served',
    answer: Readiness,
  },
} as const satisfies Readonly<Record<string, Route>>;

export type { Asked, Route } from './route.ts';

/** The name of an operation. */
export type OperationName = keyof typeof ROUTES;

/** The operations for which the caller must prove who they are. */
export type IdentifiedOperation = {
  [Name in OperationName]: (typeof ROUTES)[Name]['identity'] extends true ? Name : never;
}[OperationName];

/** The operations that anybody may ask for. */
export type OpenOperation = Exclude<OperationName, IdentifiedOperation>;

/** What an operation answers where all is well. */
export type AnswerOf<Name extends OperationName> = v.InferOutput<(typeof ROUTES)[Name]['answer']>;
