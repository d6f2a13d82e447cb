import type { Context, Hono } from 'hono';
import { findPath, type PathRoutes } from '../contract/paths.ts';
import type { OpenOperation, OperationName } from '../contract/routes.ts';
import { refusalAnswer, toResponse, type Answer } from './answer.ts';
import type { Arrival } from './arrival.ts';

/** What the front door hands to Hono with each request. */
export type Env = { Bindings: Arrival };

/** Answers one method of one path. */
export type Handler = (arrival: Arrival) => Answer | Promise<Answer>;

/**
 * A handler for each operation that anybody may ask for; the compiler finds one that is missing.
 */
export type OpenHandlers = { readonly [Name in OpenOperation]: Handler };

/**
 * Serves a path: the methods that the table of routes has, 405 with `Allow` for every other. HEAD
 * is such another, unless the path is free of effects: Hono would run GET for it, and HEAD must
 * never vend.
 */
export function servePath(
  app: Hono<Env>,
  { path, operations, allow }: PathRoutes,
  handlerOf: (name: OperationName) => Handler,
): void {
  function answerNotAllowed(context: Context<Env>): Response {
    return toResponse(refusalAnswer(context.env.requestId, { kind: 'method-not-allowed', allow }));
  }
  for (const [name, { method, head }] of operations) {
    const handler = handlerOf(name);
    app.on(method, path, async (context) =>
      context.req.method === 'HEAD' && !head
        ? answerNotAllowed(context)
        : toResponse(await handler(context.env)),
    );
  }
  app.all(path, answerNotAllowed);
}

/** What metrics call a request whose path nothing answers: strangers must not add series. */
const NO_ROUTE = 'other';

/**
 * Tells which path of the table a request target is for, as metrics name it: `/sessions/:id`, or
 * `other`.
 */
export function toRouteLabel(target: string): string {
  return findPath(target.split('?', 1)[0] ?? '')?.path ?? NO_ROUTE;
}
