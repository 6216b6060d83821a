"""A chart as SVG, without a library: lines over named places, a logarithmic height."""
import html
import math

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 760, 420, 70, 190, 40, 50
COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd", "#ff7f0e", "#17becf")


def lines(file, title, across, series):
    """series: [(name, [(place, value)])], all over the same places.  Writes the file."""
    values = [value for _, points in series for _, value in points if value > 0]
    if not values:
        return
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    high = max(high, low + 1)
    places = [place for place, _ in series[0][1]]

    def x(i):
        return LEFT + (WIDTH - LEFT - RIGHT) * i / max(1, len(places) - 1)

    def y(value):
        share = (math.log10(max(value, 10 ** low)) - low) / (high - low)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" '
           'font-family="sans-serif" font-size="12">',
           f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
           text(LEFT, 20, title, "start"),
           text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, across, "middle")]
    for power in range(low, high + 1):
        at = y(10 ** power)
        out += [f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{at:.1f}" y2="{at:.1f}" '
                'stroke="#ccc"/>', text(LEFT - 6, at + 4, f"{10 ** power:g}", "end")]
    out += [text(x(i), HEIGHT - BOTTOM + 18, place, "middle") for i, place in enumerate(places)]
    for number, (name, points) in enumerate(series):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{x(i):.1f},{y(value):.1f}" for i, (_, value) in enumerate(points))
        out += [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>',
                text(WIDTH - RIGHT + 10, TOP + 18 * number, name, "start", colour)]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(out) + "\n</svg>\n", encoding="utf-8")


def text(x, y, words, anchor, colour="#222"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">'
            f'{html.escape(words)}</text>')
