import { Hono } from 'hono';
import { PATHS } from '../contract/paths.ts';
import { ROUTES, type IdentifiedOperation, type OperationName } from '../contract/routes.ts';
import type { Clock } from '../lib/clock.ts';
import type { NamedKind } from '../lib/names.ts';
import type { NameSettings } from '../policy/known-callers.ts';
import type { Mint } from '../actions/mint-key.ts';
import type { Lift } from '../actions/lift.ts';
import type { ListRevocations } from '../actions/list-revocations.ts';
import type { ListSessions } from '../actions/list-sessions.ts';
import type { Revoking } from '../actions/revoke.ts';
import type { ShowSession } from '../actions/show-session.ts';
import type { Vend } from '../actions/vend/vend.ts';
import { refusalAnswer, toResponse } from './answer.ts';
import type { Authenticate } from './authenticate.ts';
import { askedBy } from './asked.ts';
import { createAuthenticatedHandler, type Endpoints } from './endpoint.ts';
import { servePath, type Env, type Handler, type OpenHandlers } from './route.ts';
import type { Health } from './readiness.ts';
import { createBreakGlassEndpoints, type BreakGlassDependencies } from './routes/break-glass.ts';
import { createHealthHandlers } from './routes/health.ts';
import { createKeyEndpoints } from './routes/keys.ts';
import { createProfileEndpoints } from './routes/profiles.ts';
import { createRequestEndpoints, type RequestDependencies } from './routes/requests.ts';
import { createRevocationEndpoints } from './routes/revocations.ts';
import { createSessionEndpoints } from './routes/sessions.ts';
import { createVendEndpoints } from './routes/vend.ts';
import { whoami } from './routes/whoami.ts';

/** What the endpoints need. */
export type AppDependencies = RequestDependencies &
  BreakGlassDependencies & {
    readonly authenticate: Authenticate;
    readonly vend: Vend;
    readonly mint: Mint;
    readonly revoke: Revoking['revoke'];
    readonly revokeSession: Revoking['revokeSession'];
    readonly lift: Lift;
    readonly listRevocations: ListRevocations;
    readonly listSessions: ListSessions;
    readonly showSession: ShowSession;
    readonly clock: Clock;
    readonly bareNames: NamedKind;
    readonly names: NameSettings;
    readonly health: () => Health;
    /** Told of every exception that reached the top: each is a bug. */
    readonly onBug: (error: unknown, requestId: string) => void;
  };

function needsIdentity(name: OperationName): name is IdentifiedOperation {
  return ROUTES[name].identity;
}

/**
 * All endpoints, as the table of routes has them. What is not among them is answered with 404
 * before anybody asks who is calling.
 */
export function createApp(dependencies: AppDependencies): Hono<Env> {
  const open: OpenHandlers = createHealthHandlers(dependencies);
  const endpoints: Endpoints = {
    ...createVendEndpoints(dependencies),
    ...createProfileEndpoints(dependencies),
    ...createKeyEndpoints(dependencies),
    whoami,
    ...createSessionEndpoints(dependencies),
    ...createRevocationEndpoints(dependencies),
    ...createRequestEndpoints(dependencies),
    ...createBreakGlassEndpoints(dependencies),
  };

  function handlerOf(name: OperationName): Handler {
    return needsIdentity(name)
      ? createAuthenticatedHandler(name, endpoints[name], dependencies.authenticate)
      : open[name];
  }

  const app = new Hono<Env>();
  for (const routes of PATHS) servePath(app, routes, handlerOf);
  app.notFound((context) =>
    toResponse(refusalAnswer(context.env.requestId, { kind: 'not-found' })),
  );
  app.onError((error, context) => {
    const { requestId, head } = context.env;
    dependencies.onBug(error, requestId);
    return toResponse(refusalAnswer(requestId, { kind: 'internal' }, {}, askedBy(head)));
  });
  return app;
}
