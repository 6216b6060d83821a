/* cities.c - the places of the simulated network.  Codes are IATA city or airport codes;
 * positions are of the cities; offsets are of standard time. */
#include "bench/peakload/world.h"

#define CN "Asia/Shanghai", 480

const struct city city_table[] = {
    /* China: domestic lanes.  The first three gateways have export customs. */
    {"HGH", "Hangzhou",     "CN", 30.27F, 120.15F, CN, 10, CITY_EHUB | CITY_GATEWAY, "HGH"},
    {"HKG", "Hong Kong",    "HK", 22.31F, 113.91F, "Asia/Hong_Kong", 480, 4,
     CITY_EHUB | CITY_GATEWAY, "HKG"},
    {"CAN", "Guangzhou",    "CN", 23.13F, 113.26F, CN, 10, CITY_GATEWAY, "CAN"},
    {"PVG", "Shanghai",     "CN", 31.23F, 121.47F, CN, 10, CITY_GATEWAY, "PVG"},
    {"SZX", "Shenzhen",     "CN", 22.54F, 114.06F, CN, 10, CITY_GATEWAY, "SZX"},
    {"YIW", "Yiwu",         "CN", 29.31F, 120.08F, CN, 9, 0, ""},
    {"PEK", "Beijing",      "CN", 39.90F, 116.40F, CN, 8, 0, ""},
    {"CTU", "Chengdu",      "CN", 30.57F, 104.07F, CN, 6, 0, ""},
    {"CKG", "Chongqing",    "CN", 29.56F, 106.55F, CN, 5, 0, ""},
    {"WUH", "Wuhan",        "CN", 30.59F, 114.31F, CN, 6, 0, ""},
    {"XIY", "Xi'an",        "CN", 34.34F, 108.94F, CN, 5, 0, ""},
    {"NKG", "Nanjing",      "CN", 32.06F, 118.80F, CN, 6, 0, ""},
    {"TSN", "Tianjin",      "CN", 39.08F, 117.20F, CN, 4, 0, ""},
    {"TAO", "Qingdao",      "CN", 36.07F, 120.38F, CN, 4, 0, ""},
    {"CGO", "Zhengzhou",    "CN", 34.75F, 113.63F, CN, 6, 0, ""},
    {"CSX", "Changsha",     "CN", 28.23F, 112.94F, CN, 5, 0, ""},
    {"SHE", "Shenyang",     "CN", 41.80F, 123.43F, CN, 3, 0, ""},
    {"HRB", "Harbin",       "CN", 45.80F, 126.53F, CN, 2, 0, ""},
    {"KMG", "Kunming",      "CN", 25.04F, 102.71F, CN, 3, 0, ""},
    {"NNG", "Nanning",      "CN", 22.82F, 108.32F, CN, 3, 0, ""},
    {"XMN", "Xiamen",       "CN", 24.48F, 118.09F, CN, 4, 0, ""},
    {"URC", "Urumqi",       "CN", 43.83F,  87.62F, CN, 1, 0, ""},
    {"JNG", "Jining",       "CN", 35.41F, 116.59F, CN, 3, 0, ""},
    {"SWA", "Jieyang",      "CN", 23.55F, 116.37F, CN, 7, 0, ""},
    /* Abroad: reached by way of the eHub named last. */
    {"KUL", "Kuala Lumpur", "MY",  3.14F, 101.69F, "Asia/Kuala_Lumpur", 480, 6,
     CITY_EHUB | CITY_ABROAD, "KUL"},
    {"SIN", "Singapore",    "SG",  1.35F, 103.82F, "Asia/Singapore", 480, 5, CITY_ABROAD, "KUL"},
    {"BKK", "Bangkok",      "TH", 13.76F, 100.50F, "Asia/Bangkok", 420, 6, CITY_ABROAD, "KUL"},
    {"MNL", "Manila",       "PH", 14.60F, 120.98F, "Asia/Manila", 480, 5, CITY_ABROAD, "KUL"},
    {"DXB", "Dubai",        "AE", 25.20F,  55.27F, "Asia/Dubai", 240, 5,
     CITY_EHUB | CITY_ABROAD, "DXB"},
    {"RUH", "Riyadh",       "SA", 24.71F,  46.68F, "Asia/Riyadh", 180, 5, CITY_ABROAD, "DXB"},
    {"TLV", "Tel Aviv",     "IL", 32.09F,  34.78F, "Asia/Jerusalem", 120, 4, CITY_ABROAD, "DXB"},
    {"SVO", "Moscow",       "RU", 55.76F,  37.62F, "Europe/Moscow", 180, 7,
     CITY_EHUB | CITY_ABROAD, "SVO"},
    {"SVX", "Yekaterinburg", "RU", 56.84F, 60.61F, "Asia/Yekaterinburg", 300, 4, CITY_ABROAD,
     "SVO"},
    {"ALA", "Almaty",       "KZ", 43.24F,  76.89F, "Asia/Almaty", 300, 3, CITY_ABROAD, "SVO"},
    {"LGG", "Liege",        "BE", 50.63F,   5.57F, "Europe/Brussels", 60, 4,
     CITY_EHUB | CITY_ABROAD, "LGG"},
    {"MAD", "Madrid",       "ES", 40.42F,  -3.70F, "Europe/Madrid", 60, 7, CITY_ABROAD, "LGG"},
    {"CDG", "Paris",        "FR", 48.86F,   2.35F, "Europe/Paris", 60, 6, CITY_ABROAD, "LGG"},
    {"FRA", "Frankfurt",    "DE", 50.11F,   8.68F, "Europe/Berlin", 60, 6, CITY_ABROAD, "LGG"},
    {"WAW", "Warsaw",       "PL", 52.23F,  21.01F, "Europe/Warsaw", 60, 5, CITY_ABROAD, "LGG"},
    {"LHR", "London",       "GB", 51.51F,  -0.13F, "Europe/London", 0, 5, CITY_ABROAD, "LGG"},
};

const size_t city_count = sizeof city_table / sizeof city_table[0];
