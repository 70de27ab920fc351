/*
 * How much does the sea breeze cool JFK against LaGuardia and Newark?
 *
 * Reads the months of its partition from /inputs (columns: utc,local,station,temp_c,wind_deg,wind_kt, in order of
 * time) and writes for each month two files that need only be put together with those of the other partitions:
 *
 *   /outputs/YYYY-MM-hours.csv      sums of the three temperatures by hour of the day and by the wind at JFK
 *   /outputs/YYYY-MM-intervals.csv  mean difference JFK minus the other, with a 95 % interval from a bootstrap
 *                                   that draws whole days, because the hours of one day are alike
 *
 * Integers only (tenths of a degree in, thousandths out) and a generator seeded by the month: every machine
 * gives the same bytes. Progress goes to stdout, what is wrong with the observations to stderr.
 */
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_DIR "/inputs"
#define OUTPUT_DIR "/outputs"
#define FILES_MAX 1024
#define LINE_MAX_BYTES 128
#define PATH_MAX_BYTES 300
#define RESAMPLES_MAX 100000
#define DAYS 32           /* by day of the month, 1 to 31 */
#define HOURS 24
#define AFTERNOON HOURS   /* the series after the 24 hours: 12 to 17 taken together */
#define SERIES (HOURS + 1)
#define AFTERNOON_FROM 12
#define AFTERNOON_TO 17
#define WIND_KT_MAX 150   /* the strongest gust ever seen in New York was below 100 kt */
#define MISSING INT32_MIN

enum { JFK, LGA, EWR, STATIONS };
enum { OCEAN, LAND, CALM, VARIABLE, WINDS };

static const char *const station_names[STATIONS] = {"JFK", "LGA", "EWR"};
static const char *const wind_names[WINDS] = {"ocean", "land", "calm", "variable"};

typedef struct {
  int ocean_from, ocean_to; /* degrees: winds at JFK that come from the water */
  int resamples;
} options_t;

typedef struct {
  char utc[24];
  int day, hour, station;
  int32_t temp_dc; /* tenths of a degree Celsius, or MISSING */
  int32_t wind_deg, wind_kt;
} observation_t;

typedef struct {
  int32_t hours, sum_dc[STATIONS];
} tally_t;

typedef struct {
  int32_t hours, lga_dc, ewr_dc; /* sums of JFK minus the other */
} difference_t;

typedef struct {
  int observations, complete_hours, incomplete_hours, missing, by_wind[WINDS];
  tally_t tallies[HOURS][WINDS];
  difference_t days[DAYS][SERIES];
} month_t;

static month_t month;

static void fail(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  fputs("error: ", stderr);
  vfprintf(stderr, format, arguments);
  fputc('\n', stderr);
  exit(1);
}

/* ---- reading -------------------------------------------------------------------------------------------- */

/* "-3.9" is -39; "" is MISSING. Sets *is_valid to 0 for anything else. */
static int32_t parse_tenths(const char *text, int *is_valid) {
  if (*text == '\0') return MISSING;
  char *end;
  long whole = strtol(text, &end, 10);
  int32_t tenths = 0;
  if (end != text && end[0] == '.' && end[1] >= '0' && end[1] <= '9') {
    tenths = end[1] - '0';
    end += 2;
  }
  if (end == text || *end != '\0' || whole < -100 || whole > 100) *is_valid = 0;
  return (int32_t)whole * 10 + (*text == '-' ? -tenths : tenths);
}

static int32_t parse_whole(const char *text, int *is_valid) {
  if (*text == '\0') return MISSING;
  char *end;
  long value = strtol(text, &end, 10);
  if (*end != '\0' || value < 0 || value > 9999) *is_valid = 0;
  return (int32_t)value;
}

static int parse_station(const char *text, int *is_valid) {
  for (int station = 0; station < STATIONS; station++)
    if (strcmp(text, station_names[station]) == 0) return station;
  *is_valid = 0;
  return 0;
}

/* Splits the line in place. Returns 0 when it is not an observation. */
static int parse_observation(char *line, observation_t *observation) {
  char *fields[6];
  int count = 0;
  for (char *at = line; at != NULL && count < 6; count++) {
    fields[count] = at;
    at = strchr(at, ',');
    if (at != NULL) *at++ = '\0';
  }
  if (count != 6 || strlen(fields[0]) >= sizeof observation->utc || strlen(fields[1]) != 13) return 0;
  int is_valid = 1;
  strcpy(observation->utc, fields[0]);
  observation->day = atoi(fields[1] + 8);
  observation->hour = atoi(fields[1] + 11);
  observation->station = parse_station(fields[2], &is_valid);
  observation->temp_dc = parse_tenths(fields[3], &is_valid);
  observation->wind_deg = parse_whole(fields[4], &is_valid);
  observation->wind_kt = parse_whole(fields[5], &is_valid);
  return is_valid && observation->day >= 1 && observation->day < DAYS && observation->hour >= 0 &&
         observation->hour < HOURS;
}

/* ---- one hour: three stations at the same time ---------------------------------------------------------- */

static int wind_of(const observation_t *jfk, const options_t *options) {
  if (jfk->wind_kt == 0) return CALM;
  if (jfk->wind_deg == MISSING || jfk->wind_kt == MISSING) return VARIABLE;
  return jfk->wind_deg >= options->ocean_from && jfk->wind_deg <= options->ocean_to ? OCEAN : LAND;
}

static void add_difference(difference_t *sum, const observation_t hour[STATIONS]) {
  sum->hours += 1;
  sum->lga_dc += hour[JFK].temp_dc - hour[LGA].temp_dc;
  sum->ewr_dc += hour[JFK].temp_dc - hour[EWR].temp_dc;
}

static void add_hour(const observation_t hour[STATIONS], int seen, const options_t *options) {
  if (seen == 0) return;
  for (int station = 0; station < STATIONS; station++) {
    if (!(seen & 1 << station) || hour[station].temp_dc == MISSING) {
      month.incomplete_hours += 1;
      return;
    }
  }
  const observation_t *jfk = &hour[JFK];
  int wind = wind_of(jfk, options);
  tally_t *tally = &month.tallies[jfk->hour][wind];
  month.complete_hours += 1;
  month.by_wind[wind] += 1;
  tally->hours += 1;
  for (int station = 0; station < STATIONS; station++) tally->sum_dc[station] += hour[station].temp_dc;
  add_difference(&month.days[jfk->day][jfk->hour], hour);
  if (jfk->hour >= AFTERNOON_FROM && jfk->hour <= AFTERNOON_TO)
    add_difference(&month.days[jfk->day][AFTERNOON], hour);
}

static void check_values(observation_t *observation, const char *file) {
  if (observation->temp_dc == MISSING || observation->wind_kt == MISSING) month.missing += 1;
  if (observation->wind_kt > WIND_KT_MAX) {
    fprintf(stderr, "warning: %s: %s %s: wind of %d kt left out\n", file,
            station_names[observation->station], observation->utc, observation->wind_kt);
    observation->wind_kt = MISSING;
  }
}

static void read_month(const char *file, const options_t *options) {
  char path[PATH_MAX_BYTES], line[LINE_MAX_BYTES];
  char utc[sizeof((observation_t *)0)->utc] = "";
  observation_t hour[STATIONS], next;
  int seen = 0, number = 1; /* seen: a bit for each station */
  snprintf(path, sizeof path, INPUT_DIR "/%s", file);
  FILE *input = fopen(path, "r");
  if (input == NULL) fail("cannot open %s: %s", path, strerror(errno));
  memset(&month, 0, sizeof month);
  if (fgets(line, sizeof line, input) == NULL) fail("%s is empty", path);
  while (fgets(line, sizeof line, input) != NULL) {
    number += 1;
    line[strcspn(line, "\r\n")] = '\0';
    if (!parse_observation(line, &next)) fail("%s, line %d is not an observation", path, number);
    check_values(&next, file);
    month.observations += 1;
    if (strcmp(utc, next.utc) != 0) {
      add_hour(hour, seen, options);
      memcpy(utc, next.utc, sizeof utc);
      seen = 0;
    }
    hour[next.station] = next;
    seen |= 1 << next.station;
  }
  add_hour(hour, seen, options);
  fclose(input);
}

/* ---- bootstrap ------------------------------------------------------------------------------------------ */

static uint64_t random_state;

/* splitmix64 (Steele, Lea, Flood 2014), scaled to 0 … bound-1 */
static uint32_t draw(uint32_t bound) {
  uint64_t z = random_state += 0x9e3779b97f4a7c15u;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
  z = (z ^ z >> 27) * 0x94d049bb133111ebu;
  return (uint32_t)(((z ^ z >> 31) >> 32) * bound >> 32);
}

/* thousandths of a degree, rounded to the nearest */
static int32_t mean_milli(int32_t sum_dc, int32_t count) {
  if (count == 0) return 0;
  int32_t sum = sum_dc * 100;
  return (sum + (sum < 0 ? -count : count) / 2) / count;
}

static int compare(const void *a, const void *b) {
  int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
  return (x > y) - (x < y);
}

/* "-0.123" from thousandths */
static void print_milli(FILE *output, const char *before, int32_t milli) {
  uint32_t size = milli < 0 ? -(uint32_t)milli : (uint32_t)milli;
  fprintf(output, "%s%s%u.%03u", before, milli < 0 ? "-" : "", size / 1000, size % 1000);
}

static void resample(const char *name, const options_t *options, int32_t *means) {
  int present[DAYS], count = 0, resamples = options->resamples;
  for (int day = 0; day < DAYS; day++) {
    int hours = 0;
    for (int hour = 0; hour < HOURS; hour++) hours += month.days[day][hour].hours;
    if (hours > 0) present[count++] = day;
  }
  if (count == 0) fail("%s: no hour in which all three stations report", name);
  for (int round = 0; round < resamples; round++) {
    difference_t sums[SERIES];
    memset(sums, 0, sizeof sums);
    for (int i = 0; i < count; i++) {
      const difference_t *day = month.days[present[draw((uint32_t)count)]];
      for (int series = 0; series < SERIES; series++) {
        sums[series].hours += day[series].hours;
        sums[series].lga_dc += day[series].lga_dc;
        sums[series].ewr_dc += day[series].ewr_dc;
      }
    }
    for (int series = 0; series < SERIES; series++) {
      means[(2 * series) * resamples + round] = mean_milli(sums[series].lga_dc, sums[series].hours);
      means[(2 * series + 1) * resamples + round] = mean_milli(sums[series].ewr_dc, sums[series].hours);
    }
    if ((round + 1) % ((resamples + 9) / 10) == 0 || round + 1 == resamples) {
      printf("%s: drew %d of %d resamples\n", name, round + 1, resamples);
      fflush(stdout);
    }
  }
}

/* ---- writing -------------------------------------------------------------------------------------------- */

static FILE *create(const char *name, const char *suffix) {
  char path[PATH_MAX_BYTES];
  snprintf(path, sizeof path, OUTPUT_DIR "/%s-%s.csv", name, suffix);
  FILE *output = fopen(path, "w");
  if (output == NULL) fail("cannot create %s: %s", path, strerror(errno));
  return output;
}

static void finish(FILE *output, const char *name) {
  if (fflush(output) != 0 || ferror(output) || fclose(output) != 0)
    fail("cannot write the results of %s: %s", name, strerror(errno));
}

static void write_hours(const char *name) {
  FILE *output = create(name, "hours");
  fputs("month,hour,wind,hours,jfk_dc,lga_dc,ewr_dc\n", output);
  for (int hour = 0; hour < HOURS; hour++) {
    for (int wind = 0; wind < WINDS; wind++) {
      const tally_t *tally = &month.tallies[hour][wind];
      if (tally->hours > 0)
        fprintf(output, "%s,%d,%s,%d,%d,%d,%d\n", name, hour, wind_names[wind], tally->hours,
                tally->sum_dc[JFK], tally->sum_dc[LGA], tally->sum_dc[EWR]);
    }
  }
  finish(output, name);
}

static difference_t add_days(int series) {
  difference_t total = {0, 0, 0};
  for (int day = 0; day < DAYS; day++) {
    total.hours += month.days[day][series].hours;
    total.lga_dc += month.days[day][series].lga_dc;
    total.ewr_dc += month.days[day][series].ewr_dc;
  }
  return total;
}

static void write_interval(FILE *output, const char *name, int series, int other, int32_t *means, int resamples) {
  difference_t total = add_days(series);
  if (total.hours == 0) return;
  qsort(means, (size_t)resamples, sizeof *means, compare);
  int cut = resamples / 40; /* 2.5 % on either side */
  if (series == AFTERNOON) fprintf(output, "%s,%d-%d", name, AFTERNOON_FROM, AFTERNOON_TO);
  else fprintf(output, "%s,%d", name, series);
  fprintf(output, ",%s,%d", station_names[other], total.hours);
  print_milli(output, ",", mean_milli(other == LGA ? total.lga_dc : total.ewr_dc, total.hours));
  print_milli(output, ",", means[cut]);
  print_milli(output, ",", means[resamples - 1 - cut]);
  fputc('\n', output);
}

static void write_intervals(const char *name, int32_t *means, int resamples) {
  FILE *output = create(name, "intervals");
  fputs("month,hours,against,observations,mean_c,low_c,high_c\n", output);
  for (int series = 0; series < SERIES; series++) {
    write_interval(output, name, series, LGA, means + 2 * series * resamples, resamples);
    write_interval(output, name, series, EWR, means + (2 * series + 1) * resamples, resamples);
  }
  finish(output, name);
}

/* ---- which months are ours ------------------------------------------------------------------------------ */

static int compare_names(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static int list_months(char *names[FILES_MAX]) {
  DIR *folder = opendir(INPUT_DIR);
  if (folder == NULL) fail("cannot list %s: %s", INPUT_DIR, strerror(errno));
  int count = 0;
  for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
    size_t length = strlen(entry->d_name);
    if (length < 5 || length > 40 || strcmp(entry->d_name + length - 4, ".csv") != 0) continue;
    if (count == FILES_MAX) fail("%s holds more than %d files", INPUT_DIR, FILES_MAX);
    names[count++] = strdup(entry->d_name);
  }
  closedir(folder);
  qsort(names, (size_t)count, sizeof *names, compare_names);
  return count;
}

static void run_month(const char *file, const options_t *options, int32_t *means) {
  char name[64];
  snprintf(name, sizeof name, "%.*s", (int)(strlen(file) - 4), file);
  read_month(file, options);
  printf("%s: %d observations, %d complete hours, ocean wind in %d\n", name,
         month.observations, month.complete_hours, month.by_wind[OCEAN]);
  fflush(stdout);
  if (month.missing > 0) fprintf(stderr, "warning: %s: observations that lack a value: %d\n", file, month.missing);
  if (month.incomplete_hours > 0)
    fprintf(stderr, "warning: %s: hours left out for lack of a temperature: %d\n", file, month.incomplete_hours);
  random_state = 0;
  for (const char *at = name; *at != '\0'; at++) random_state = random_state * 31 + (uint8_t)*at;
  resample(name, options, means);
  write_hours(name);
  write_intervals(name, means, options->resamples);
  difference_t afternoon = add_days(AFTERNOON);
  printf("%s: ", name);
  print_milli(stdout, "JFK-LGA ", mean_milli(afternoon.lga_dc, afternoon.hours));
  print_milli(stdout, " C, JFK-EWR ", mean_milli(afternoon.ewr_dc, afternoon.hours));
  puts(" C");
  fflush(stdout);
}

static int environment_number(const char *name, int otherwise) {
  const char *text = getenv(name);
  return text == NULL ? otherwise : atoi(text);
}

static options_t parse_options(int count, char **words) {
  options_t options = {100, 240, 40000};
  int is_valid = count % 2 == 1;
  for (int i = 1; i + 1 < count; i += 2) {
    if (strcmp(words[i], "--ocean") == 0) {
      char *end;
      options.ocean_from = (int)strtol(words[i + 1], &end, 10);
      options.ocean_to = *end == '-' ? atoi(end + 1) : -1;
    } else if (strcmp(words[i], "--resamples") == 0) {
      options.resamples = atoi(words[i + 1]);
    } else {
      is_valid = 0;
    }
  }
  if (!is_valid || options.ocean_from < 0 || options.ocean_to > 360 || options.ocean_from > options.ocean_to ||
      options.resamples < 1 || options.resamples > RESAMPLES_MAX) {
    fprintf(stderr, "usage: sea_breeze [--ocean FROM-TO] [--resamples 1..%d]\n", RESAMPLES_MAX);
    exit(2);
  }
  return options;
}

int main(int count, char **words) {
  static char *files[FILES_MAX];
  options_t options = parse_options(count, words);
  int index = environment_number("BACALHAU_PARTITION_INDEX", 0);
  int partitions = environment_number("BACALHAU_PARTITION_COUNT", 1);
  if (partitions < 1) partitions = 1;
  int32_t *means = malloc(sizeof *means * 2 * SERIES * (size_t)options.resamples);
  if (means == NULL) fail("%d resamples need more memory than the job has", options.resamples);
  int file_count = list_months(files), done = 0;
  if (file_count == 0) fail("%s holds no .csv files", INPUT_DIR);
  for (int i = 0; i < file_count; i++) {
    if (i % partitions != index) continue;
    run_month(files[i], &options, means);
    done += 1;
  }
  free(means);
  if (done == 0) printf("partition %d of %d: no month is left for it\n", index, partitions);
  return 0;
}
