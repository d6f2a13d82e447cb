import type { Context, Hono } from 'hono';
import { refusalAnswer, toResponse, type Answer } from './answer.ts';
import type { Arrival } from './arrival.ts';

/** What the front door hands to Hono with each request. */
export type Env = { Bindings: Arrival };

/** Answers one method of one path. */
export type Handler = (arrival: Arrival) => Answer | Promise<Answer>;

type Methods = { readonly GET?: Handler; readonly POST?: Handler; readonly DELETE?: Handler };

/**
 * Serves a path: the methods given, 405 with `Allow` for every other. HEAD is such another, unless the path is free of
 * effects: Hono would run GET for it, and HEAD must never vend.
 */
export function route(app: Hono<Env>, path: string, methods: Methods, options: { readonly head: boolean }): void {
  const allow = [...Object.keys(methods), ...(options.head ? ['HEAD'] : [])];
  function notAllowed(context: Context<Env>): Response {
    return toResponse(refusalAnswer(context.env.requestId, { kind: 'method-not-allowed', allow }));
  }
  for (const [method, handler] of Object.entries(methods)) {
    app.on(method, path, async (context) =>
      context.req.method === 'HEAD' && !options.head ? notAllowed(context) : toResponse(await handler(context.env)),
    );
  }
  app.all(path, notAllowed);
}

/** What metrics call a request whose path is none of the app's: strangers must not add series. */
const NO_ROUTE = 'other';

/**
 * Tells which of the app's paths a request target is for, as metrics name it: `/sessions/:id`, or `other`. The paths are
 * those that the app serves, so that none is forgotten.
 */
export function createRouteLabels(app: Hono<Env>): (target: string) => string {
  const paths = [...new Set(app.routes.map(({ path }) => path))].filter((path) => path !== '/*');
  const fixed = new Set(paths.filter((path) => !path.includes(':')));
  const others = paths
    .filter((path) => path.includes(':'))
    .map((path) => [path, new RegExp(`^${path.replaceAll(/:\w+/gu, '[^/]+')}$`, 'u')] as const);
  function labelOf(target: string): string {
    const path = target.split('?', 1)[0] ?? '';
    if (fixed.has(path)) return path;
    return others.find(([, pattern]) => pattern.test(path))?.[0] ?? NO_ROUTE;
  }

  return labelOf;
}
