import { describe, expect, test } from "vitest";
import {
  formatTime,
  isTimeZone,
  offsetAt,
  parseTime,
  TimeError,
} from "../../domain/time.ts";

describe("a formatted time", () => {
  test("a formatted time is local time with milliseconds and without offset", () => {
    const noon = Date.parse("2020-03-16T12:00:00.070Z");
    expect(formatTime(noon, "UTC")).toBe("2020-03-16T12:00:00.070");
    expect(formatTime(new Date(noon), "Asia/Shanghai")).toBe("2020-03-16T20:00:00.070");
    expect(formatTime(noon, "America/New_York")).toBe("2020-03-16T08:00:00.070");
    expect(formatTime(noon, "Asia/Kathmandu")).toBe("2020-03-16T17:45:00.070");
  });

  test("a formatted time uses the offset of its instant, to the millisecond of a clock change", () => {
    const change = Date.parse("2027-03-14T07:00:00Z");
    expect(formatTime(change - 1, "America/New_York")).toBe("2027-03-14T01:59:59.999");
    expect(formatTime(change, "America/New_York")).toBe("2027-03-14T03:00:00.000");
    expect(formatTime(Date.parse("2027-11-07T06:30:00Z"), "America/New_York")).toBe(
      "2027-11-07T01:30:00.000",
    );
  });

  test("a formatted time equals that of Intl.DateTimeFormat in every zone and season", () => {
    for (const zone of Intl.supportedValuesOf("timeZone")) {
      const intl = new Intl.DateTimeFormat("sv-SE", {
        timeZone: zone,
        dateStyle: "short",
        timeStyle: "medium",
      });
      for (let month = 0; month < 12; month += 1) {
        const at = Date.UTC(2026, month, 1 + ((month * 7) % 28), month * 2, 30);
        expect(
          formatTime(at, zone).slice(0, 19).replace("T", " "),
          `${zone} in month ${month}`,
        ).toBe(intl.format(at));
      }
    }
  });
});

describe("a parsed time", () => {
  test("a parsed time with an offset does not depend on the zone", () => {
    const instant = new Date("2030-01-31T12:00:00Z");
    for (const text of [
      "2030-01-31T12:00:00Z",
      "2030-01-31T20:00:00.000+08:00",
      "2030-01-31T20:00+0800",
      "2030-01-31t04:00:00-08",
    ]) {
      expect(parseTime(text, "Europe/Berlin"), `reading ${text}`).toEqual(instant);
    }
  });

  test("a parsed time without an offset is local time of the zone", () => {
    expect(parseTime("2030-01-31T12:00", "Asia/Shanghai")).toEqual(
      new Date("2030-01-31T04:00:00Z"),
    );
    for (const zone of [
      "America/New_York",
      "Australia/Lord_Howe",
      "Asia/Kathmandu",
      "Pacific/Apia",
    ]) {
      const at = new Date("2026-07-31T23:59:59.987Z");
      expect(parseTime(formatTime(at, zone), zone), `clock of ${zone}`).toEqual(at);
    }
  });

  test("a parsed time that a clock change skips is moved forward, and one that occurs twice is the first", () => {
    expect(parseTime("2027-03-14T02:30:00", "America/New_York")).toEqual(
      new Date("2027-03-14T07:30:00Z"),
    );
    expect(parseTime("2027-03-28T02:30:00", "Europe/Berlin")).toEqual(
      new Date("2027-03-28T01:30:00Z"),
    );
    expect(parseTime("2027-10-03T02:15:00", "Australia/Lord_Howe")).toEqual(
      new Date("2027-10-02T15:45:00Z"),
    );
    expect(parseTime("2027-11-07T01:30:00", "America/New_York")).toEqual(
      new Date("2027-11-07T05:30:00Z"),
    );
    expect(parseTime("2027-10-31T02:30:00", "Europe/Berlin")).toEqual(
      new Date("2027-10-31T00:30:00Z"),
    );
    expect(parseTime("2011-12-30T12:00:00", "Pacific/Apia")).toEqual(
      new Date("2011-12-30T22:00:00Z"),
    );
  });

  test("a parsed time may have any fraction of a second, and its milliseconds are kept", () => {
    expect(parseTime("2022-08-23T10:45:19.79", "UTC")).toEqual(
      new Date("2022-08-23T10:45:19.790Z"),
    );
    expect(parseTime("2022-08-23T10:45:19.123999999Z", "UTC")).toEqual(
      new Date("2022-08-23T10:45:19.123Z"),
    );
  });

  test.each([
    "",
    "tomorrow",
    "2030-01-31",
    "2030-01-31 12:00:00",
    "1896091200000",
    "2030-02-29T00:00:00",
    "2030-13-01T00:00:00",
    "2030-01-00T00:00:00",
    "2030-01-31T24:00:00",
    "2030-01-31T12:60:00",
    "2030-01-31T12:00:60",
    "2030-01-31T12:00:00+19:00",
    "2030-01-31T12:00:00+08:60",
    "+12030-01-31T12:00:00",
    "2030-01-31T12:00:00.Z",
  ])("parsing the time %j fails with an error that has a correct example", (text) => {
    expect(() => parseTime(text, "UTC")).toThrow(TimeError);
    expect(() => parseTime(text, "UTC")).toThrow("write 2030-01-31T12:00:00");
  });
});

describe("a time zone", () => {
  test("a time zone may be a name or an alias of the IANA database", () => {
    for (const zone of [
      ...Intl.supportedValuesOf("timeZone"),
      "UTC",
      "GMT",
      "Etc/UTC",
      "Asia/Kolkata",
      "Europe/Kyiv",
      "US/Pacific",
      "PRC",
      "Japan",
    ]) {
      expect(isTimeZone(zone), `zone ${zone}`).toBe(true);
    }
  });

  test("a time zone is refused if it is unknown, or if not both Intl and Temporal accept it", () => {
    for (const zone of [
      "",
      "Local",
      "+08:00",
      "GMT+8",
      "PST",
      "utc",
      "europe/berlin",
      "EUROPE/BERLIN",
      "asia/kolkata",
      "Mars/Olympus",
      "../etc/passwd",
      "A".repeat(5000),
    ]) {
      expect(isTimeZone(zone), `zone ${zone}`).toBe(false);
    }
  });

  test("a time zone that is unknown has no offset and causes a RangeError", () => {
    expect(() => offsetAt("Mars/Olympus", 0)).toThrow(RangeError);
  });
});
