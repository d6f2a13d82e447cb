import type { Command } from './command.ts';
import { approve } from './commands/approve.ts';
import { breakGlass } from './commands/break-glass.ts';
import { breakGlassClose } from './commands/break-glass-close.ts';
import { breakGlassConfirm } from './commands/break-glass-confirm.ts';
import { breakGlassList } from './commands/break-glass-list.ts';
import { breakGlassReview } from './commands/break-glass-review.ts';
import { cancel } from './commands/cancel.ts';
import { credentials } from './commands/credentials.ts';
import { deny } from './commands/deny.ts';
import { end } from './commands/end.ts';
import { login } from './commands/login.ts';
import { namesMigrate } from './commands/names-migrate.ts';
import { request } from './commands/request.ts';
import { requests } from './commands/requests.ts';
import { whoami } from './commands/whoami.ts';

/** Every command, in the order of `--help`. */
export const COMMANDS: readonly Command[] = [
  login,
  credentials,
  whoami,
  request,
  requests,
  approve,
  deny,
  cancel,
  end,
  // Those of two words first: their second one would be taken for a profile.
  breakGlassList,
  breakGlassConfirm,
  breakGlassClose,
  breakGlassReview,
  breakGlass,
  namesMigrate,
];
