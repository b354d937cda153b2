import { ApplicationFailure } from "@temporalio/activity";
import { TransferError } from "../../domain/failure.ts";
import { REFUSED } from "../../domain/lanes.ts";

/** Checks whether an error says that the control plane does not admit this worker. */
export const isRefusal = (error: unknown): error is TransferError =>
  error instanceof TransferError && error.kind === "refused";

/** Builds the failure by which a worker that is not admitted gives a batch back, untried, to the other workers. */
export const workerRefused = ({ message }: TransferError): ApplicationFailure =>
  ApplicationFailure.create({ message, type: REFUSED, nextRetryDelay: "10 seconds" });
