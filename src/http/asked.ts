import { findRoute } from '../contract/paths.ts';
import type { Asked } from '../contract/routes.ts';

export type { Asked };

/**
 * Tells what a request is for by its first line. What nothing answers asks for nothing in
 * particular.
 */
export function askedBy(head: { readonly method: string; readonly path: string }): Asked {
  return findRoute(head)?.asks ?? 'question';
}
