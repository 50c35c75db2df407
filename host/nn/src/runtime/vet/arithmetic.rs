//! Arithmetic number by number, and the numbers that it gives where they are known: networks compute
//! extents that way.

use super::node::Node;
use super::value::{Kind, Numbers, Value, volume};
use super::{Cost, Problem};

/// Maximum length of a `Range` whose numbers are computed.
const LONGEST_RANGE: usize = 1 << 20;
/// Beyond this, whole numbers of other programs are no longer exact.
const LARGEST_WHOLE: i64 = 1 << 53;

/// The extents of a result whose operands are stretched to each other.
pub(super) fn broadcast(operands: &[&[usize]]) -> Result<Vec<usize>, Problem> {
    let axes = operands.iter().map(|dims| dims.len()).max().unwrap_or(0);
    let mut result = vec![1; axes];
    for dims in operands {
        let from = axes - dims.len();
        for (extent, wide) in dims.iter().zip(&mut result[from..]) {
            match (*extent, *wide) {
                (extent, wide) if extent == wide => {}
                (extent, 1) => *wide = extent,
                (1, _) => {}
                _ => return Err(Problem::Fit("operand", dims.to_vec())),
            }
        }
    }
    volume(&result)?;
    Ok(result)
}

/// For each number of a result of extents `dims`, its place in an operand that is stretched to it.
fn places<'d>(dims: &'d [usize], operand: &'d [usize]) -> impl Iterator<Item = usize> + use<'d> {
    let from = dims.len() - operand.len();
    let count: usize = dims.iter().product();
    (0..count).map(move |mut index| {
        let (mut place, mut stride) = (0, 1);
        for axis in (0..dims.len()).rev() {
            let at = index % dims[axis];
            index /= dims[axis];
            if let Some(own) = axis.checked_sub(from).map(|axis| operand[axis]) {
                place += if own == 1 { 0 } else { at * stride };
                stride *= own;
            }
        }
        place
    })
}

/// Known numbers of a result; none where an operand's are not known.
fn stretched<T: Copy>(
    dims: &[usize],
    operands: &[(&[usize], &[T])],
    of: impl Fn(&[T]) -> Option<T>,
) -> Option<Vec<T>> {
    let mut rows: Vec<Vec<T>> = vec![Vec::new(); dims.iter().product()];
    for (own, numbers) in operands {
        for (row, place) in rows.iter_mut().zip(places(dims, own)) {
            row.push(*numbers.get(place)?);
        }
    }
    rows.iter().map(|row| of(row)).collect()
}

/// An operator on each number of one value, whose further inputs are single numbers.
pub(super) fn each(node: &Node<'_>, cost: &mut Cost) -> Result<Value, Problem> {
    let more = match node.proto.op_type.as_str() {
        "Clip" if node.set >= 11 => 2,
        _ => 0,
    };
    node.arity(1..=1 + more)?;
    let input = node.input(0)?;
    for limit in node.inputs.iter().skip(1).flatten() {
        if limit.len()? != 1 || limit.dims.len() > 1 || limit.kind != input.kind {
            return Err(Problem::Fit("limit", limit.dims.clone()));
        }
    }
    let count = input.len()?;
    cost.spend(count, 4);
    let whole: fn(i64) -> Option<i64> = match node.proto.op_type.as_str() {
        "Identity" => Some,
        "Neg" => i64::checked_neg,
        "Abs" => i64::checked_abs,
        "Not" => |n| Some(i64::from(n == 0)),
        "Sign" => |n| Some(n.signum()),
        _ => |_| None,
    };
    let real: fn(f32) -> Option<f32> = match node.proto.op_type.as_str() {
        "Identity" => Some,
        "Neg" => |n| Some(-n),
        "Abs" => |n| Some(n.abs()),
        "Floor" => |n| Some(n.floor()),
        "Ceil" => |n| Some(n.ceil()),
        "Sqrt" => |n| Some(n.sqrt()),
        _ => |_| None,
    };
    if node.proto.op_type == "Identity" {
        return Ok(input.clone());
    }
    let mut value = input.sized(input.dims.clone());
    value.numbers = cost
        .followed(count)
        .then_some(input.numbers.as_ref())
        .flatten()
        .and_then(|numbers| match numbers {
            Numbers::Whole(numbers) => {
                let numbers: Option<Vec<i64>> = numbers.iter().map(|n| whole(*n)).collect();
                numbers.map(|numbers| Numbers::Whole(numbers.into()))
            }
            Numbers::Real(numbers) => {
                let numbers: Option<Vec<f32>> = numbers.iter().map(|n| real(*n)).collect();
                numbers.map(|numbers| Numbers::Real(numbers.into()))
            }
        });
    Ok(value)
}

/// A dropout, which does nothing to what it reads.
pub(super) fn dropout(node: &Node<'_>) -> Result<Vec<Value>, Problem> {
    let input = node.input(0)?;
    let (inputs, outputs) = (node.inputs.len(), node.proto.output.len());
    if inputs > 3 || outputs > 2 {
        return Err(Problem::Arity(inputs, outputs));
    }
    if let Some(ratio) = node.optional(1) {
        ratio.reals("ratio")?;
    }
    if let Some(training) = node.optional(2)
        && training.only("training mode")? != 0
    {
        return Err(Problem::Setting("training_mode"));
    }
    let mask = Value {
        kind: Kind::Bool,
        ..input.sized(input.dims.clone())
    };
    Ok([input.clone(), mask].into_iter().take(outputs).collect())
}

/// An operator on numbers of several values, stretched to each other.
pub(super) fn together(node: &Node<'_>, cost: &mut Cost) -> Result<Value, Problem> {
    let operator = node.proto.op_type.as_str();
    node.arity(match operator {
        "Where" => 3..=3,
        "Max" | "Min" | "Sum" | "Mean" => 1..=64,
        _ => 2..=2,
    })?;
    let operands = node.all()?;
    let compares = matches!(
        operator,
        "Equal" | "Greater" | "GreaterOrEqual" | "Less" | "LessOrEqual"
    );
    // An exponent may be of another kind than what it is put to.
    let alike = match operator {
        "Where" => &operands[1..],
        "Pow" => &operands[..1],
        _ => &operands[..],
    };
    let kind = alike.first().map_or(Kind::Float32, |value| value.kind);
    let needed = match operator {
        "And" | "Or" | "Xor" => kind == Kind::Bool,
        "Where" => operands[0].kind == Kind::Bool,
        "Equal" => true,
        _ => kind != Kind::Bool,
    };
    if !needed || alike.iter().any(|value| value.kind != kind) {
        return Err(Problem::Kinds);
    }
    let extents: Vec<&[usize]> = operands.iter().map(|value| value.dims.as_slice()).collect();
    let dims = broadcast(&extents)?;
    if operator == "PRelu" && dims != operands[0].dims {
        return Err(Problem::Fit("slope", operands[1].dims.clone()));
    }
    let count = volume(&dims)?;
    cost.spend(count, 4 * operands.len());
    let mut value = Value {
        fixed: operands.iter().all(|value| value.fixed),
        ..Value::new(dims, if compares { Kind::Bool } else { kind })
    };
    if cost.followed(count.saturating_mul(operands.len())) {
        value.numbers = known(operator, &value, &operands);
    }
    Ok(value)
}

/// The numbers of [`together`], where all that are needed are known.
fn known(operator: &str, value: &Value, operands: &[&Value]) -> Option<Numbers> {
    let wholes: Option<Vec<(&[usize], &[i64])>> = operands
        .iter()
        .map(|operand| match operand.numbers.as_ref()? {
            Numbers::Whole(numbers) => Some((operand.dims.as_slice(), &**numbers)),
            Numbers::Real(_) => None,
        })
        .collect();
    if let Some(wholes) = wholes {
        let largest = match value.kind {
            Kind::Int32 => i64::from(i32::MAX),
            _ => LARGEST_WHOLE,
        };
        let inside = |number: &i64| (-largest..=largest).contains(number);
        let is_choice = matches!(operator, "Where" | "Equal");
        let found = stretched(&value.dims, &wholes, |row| {
            if !is_choice && !row.iter().all(inside) {
                return None;
            }
            whole_of(operator, row).filter(|number| is_choice || inside(number))
        });
        return found.map(|numbers| Numbers::Whole(numbers.into()));
    }
    let reals: Option<Vec<(&[usize], &[f32])>> = operands
        .iter()
        .map(|operand| match operand.numbers.as_ref()? {
            Numbers::Real(numbers) => Some((operand.dims.as_slice(), &**numbers)),
            Numbers::Whole(_) => None,
        })
        .collect();
    if value.kind != Kind::Float32 {
        return None;
    }
    let found = stretched(&value.dims, &reals?, |row| real_of(operator, row));
    found.map(|numbers| Numbers::Real(numbers.into()))
}

fn whole_of(operator: &str, row: &[i64]) -> Option<i64> {
    Some(match (operator, row) {
        ("Add", [a, b]) => a.checked_add(*b)?,
        ("Sub", [a, b]) => a.checked_sub(*b)?,
        ("Mul", [a, b]) => a.checked_mul(*b)?,
        ("Div", [a, b]) => a.checked_div(*b)?,
        ("Max", row) => *row.iter().max()?,
        ("Min", row) => *row.iter().min()?,
        ("Equal", [a, b]) => (a == b).into(),
        ("Greater", [a, b]) => (a > b).into(),
        ("GreaterOrEqual", [a, b]) => (a >= b).into(),
        ("Less", [a, b]) => (a < b).into(),
        ("LessOrEqual", [a, b]) => (a <= b).into(),
        ("And", [a, b]) => (*a != 0 && *b != 0).into(),
        ("Or", [a, b]) => (*a != 0 || *b != 0).into(),
        ("Where", [choice, a, b]) => *(if *choice != 0 { a } else { b }),
        _ => return None,
    })
}

fn real_of(operator: &str, row: &[f32]) -> Option<f32> {
    match (operator, row) {
        ("Add", [a, b]) => Some(a + b),
        ("Sub", [a, b]) => Some(a - b),
        ("Mul", [a, b]) => Some(a * b),
        ("Div", [a, b]) => Some(a / b),
        _ => None,
    }
}

/// Numbers of another kind.
pub(super) fn cast(node: &Node<'_>, cost: &mut Cost) -> Result<Value, Problem> {
    node.arity(1..=1)?;
    let input = node.input(0)?;
    let kind = Kind::of(node.whole("to", 0)?)?;
    cost.spend(input.len()?, 1);
    let whole = |number: f32| {
        let is_exact = number.abs() < LARGEST_WHOLE as f32;
        is_exact.then_some(number as i64)
    };
    let fits = |number: &i64| match kind {
        Kind::Int64 => true,
        Kind::Int32 => i32::try_from(*number).is_ok(),
        _ => false,
    };
    let numbers = match (&input.numbers, kind) {
        (Some(Numbers::Whole(numbers)), Kind::Bool) => {
            let found = numbers.iter().map(|number| i64::from(*number != 0));
            Some(Numbers::Whole(found.collect()))
        }
        (Some(Numbers::Whole(numbers)), Kind::Float32) => {
            Some(Numbers::Real(numbers.iter().map(|n| *n as f32).collect()))
        }
        (Some(Numbers::Whole(numbers)), _) if numbers.iter().all(fits) => input.numbers.clone(),
        (Some(Numbers::Real(_)), Kind::Float32) => input.numbers.clone(),
        (Some(Numbers::Real(numbers)), Kind::Int32 | Kind::Int64) => {
            let found: Option<Vec<i64>> = numbers.iter().map(|n| whole(*n)).collect();
            let found = found.filter(|found| found.iter().all(fits));
            found.map(|found| Numbers::Whole(found.into()))
        }
        _ => None,
    };
    Ok(Value {
        kind,
        numbers,
        ..input.sized(input.dims.clone())
    })
}

/// The extents of a value, or how many numbers they hold.
pub(super) fn extents(node: &Node<'_>) -> Result<Value, Problem> {
    node.arity(1..=1)?;
    let input = node.input(0)?;
    if node.proto.op_type == "Size" {
        return Ok(Value::whole(
            Vec::new(),
            Kind::Int64,
            vec![input.len()? as i64],
        ));
    }
    let axes = input.dims.len() as i64;
    let place = |at: i64| (if at < 0 { at.saturating_add(axes) } else { at }).clamp(0, axes);
    let (from, to) = (
        place(node.whole("start", 0)?),
        place(node.whole("end", axes)?),
    );
    let (from, to) = (from as usize, to.max(from) as usize);
    let found: Vec<i64> = input.dims[from..to]
        .iter()
        .map(|extent| *extent as i64)
        .collect();
    Ok(Value::whole(vec![found.len()], Kind::Int64, found))
}

/// A constant of the graph's own.
pub(super) fn constant(node: &Node<'_>) -> Result<Value, Problem> {
    node.arity(0..=0)?;
    if node.proto.attribute.len() != 1 {
        return Err(Problem::Setting("value"));
    }
    if let Some(value) = node.tensor("value")? {
        return Ok(value);
    }
    if let Some(number) = node.real("value_float")? {
        return Ok(Value::real(Vec::new(), vec![number]));
    }
    if let Some(numbers) = node.reals("value_floats")? {
        return Ok(Value::real(vec![numbers.len()], numbers.into()));
    }
    if let Some(numbers) = node.wholes("value_ints")? {
        return Ok(Value::whole(
            vec![numbers.len()],
            Kind::Int64,
            numbers.into(),
        ));
    }
    match node.has("value_int") {
        true => {
            let number = node.whole("value_int", 0)?;
            Ok(Value::whole(Vec::new(), Kind::Int64, vec![number]))
        }
        false => Err(Problem::Setting("value")),
    }
}

/// One number, as often as a shape says.
pub(super) fn filled(node: &Node<'_>, cost: &mut Cost) -> Result<Value, Problem> {
    node.arity(1..=1)?;
    let dims = whole_extents(node.input(0)?.wholes("shape")?)?;
    let count = volume(&dims)?;
    cost.spend(count, 1);
    let of = node
        .tensor("value")?
        .unwrap_or_else(|| Value::real(vec![1], vec![0.0]));
    if of.len()? != 1 {
        return Err(Problem::Setting("value"));
    }
    let mut value = Value {
        fixed: true,
        ..Value::new(dims, of.kind)
    };
    if let Some(Numbers::Whole(numbers)) = &of.numbers
        && cost.followed(count)
    {
        value = Value::whole(value.dims, of.kind, vec![numbers[0]; count]);
    }
    Ok(value)
}

/// Numbers counted out.
pub(super) fn range(node: &Node<'_>, cost: &mut Cost) -> Result<Value, Problem> {
    node.arity(3..=3)?;
    let what = "range";
    let [from, to, by] = [node.input(0)?, node.input(1)?, node.input(2)?];
    if from.kind != to.kind
        || from.kind != by.kind
        || !matches!(from.kind, Kind::Int32 | Kind::Int64)
    {
        return Err(Problem::Kinds);
    }
    let (from, to, by) = (from.only(what)?, to.only(what)?, by.only(what)?);
    let span = i128::from(to) - i128::from(from);
    let by = i128::from(by);
    if by == 0 {
        return Err(Problem::Setting("range"));
    }
    let count = ((span + by - by.signum()) / by).max(0);
    let count = usize::try_from(count)
        .ok()
        .filter(|count| *count <= LONGEST_RANGE);
    let count = count.ok_or(Problem::Setting("range"))?;
    cost.spend(count, 1);
    let numbers = (0..count).map(|index| (i128::from(from) + by * index as i128) as i64);
    Ok(Value::whole(
        vec![count],
        node.input(0)?.kind,
        numbers.collect(),
    ))
}

/// Extents out of whole numbers, none of them negative.
pub(super) fn whole_extents(numbers: &[i64]) -> Result<Vec<usize>, Problem> {
    let extents = numbers.iter().map(|extent| usize::try_from(*extent).ok());
    let extents: Option<Vec<usize>> = extents.collect();
    extents.ok_or(Problem::Setting("shape"))
}
