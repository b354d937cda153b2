import { TransferError } from "../../domain/failure.ts";
import { ApiError, failWith } from "../errors.ts";

/** What the store says in its own words, in the API's. */
export async function inApiTerms<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    // Answered to nobody.
    if (isCut(error)) throw new ApiError(250106, ["the connection was cut before the whole body had come"], { cause: error });
    if (!(error instanceof TransferError)) throw error;
    const { kind, message } = error;
    if (kind === "notFound") throw new ApiError(250108, ["upload", message], { status: 404, cause: error });
    if (kind === "digestMismatch" || kind === "invalid") throw new ApiError(251003, ["sha256", message], { cause: error });
    if (kind === "tooLarge") return failWith(413, 250106, message);
    if (kind === "noSpace") throw new ApiError(250102, [message], { status: 507, cause: error });
    if (kind === "cancelled") throw new ApiError(250105, ["Upload-Offset", message], { status: 409, cause: error });
    throw error;
  }
}

const isCut = (error: unknown): boolean => error instanceof Error && "code" in error && error.code === "ECONNRESET";
