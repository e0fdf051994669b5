//! The questions and changes that a history in a folder answers: each is passed on to the file that implements it.

use jiff::civil::Date;

use crate::behavior::{BehaviorId, ProbeSignature};
use crate::history::{
    BatchWriter, BehaviorFilter, BehaviorSummary, CaptureRecord, Contribution, Coverage, DailyCount,
    DayCount, DayTotal, EngineState, Example, Filter, HostList, HourlyCount, Outage, ReopenedWindows,
    RollbackPoint, Sensor, Sighting, TypeRecord, TypeTotal,
};
use crate::sample::{FamilyRenames, KeptSample};
use crate::store::{HistoryStore, ParametersSink, ServiceQuery, StoreError, refuse_sources};

use super::row_filter::RowFilter;
use super::{LocalStore, capture_rows, catalog, signature_rows, type_rows, types};

impl HistoryStore for LocalStore {
    fn sensors(&self) -> Result<Vec<Sensor>, StoreError> {
        Ok(catalog::sensors(&self.connection)?.into_iter().map(|(_, sensor)| sensor).collect())
    }

    fn add_sensor(&mut self, sensor: &Sensor) -> Result<(), StoreError> {
        self.put_sensor(sensor)
    }

    fn edit_sensor(&mut self, name: &str, edited: &Sensor) -> Result<(), StoreError> {
        self.replace_sensor(name, edited)
    }

    fn remove_sensor(&mut self, name: &str) -> Result<(), StoreError> {
        self.delete_sensor(name)
    }

    fn remove_outage(&mut self, sensor: &str, outage: &Outage) -> Result<bool, StoreError> {
        self.delete_outage(sensor, outage)
    }

    fn sightings_kept_from(&self, sensor: &str) -> Result<Option<Date>, StoreError> {
        catalog::kept_from(&self.connection, self.sensor_id(sensor)?)
    }

    fn add_outage(&mut self, sensor: &str, outage: &Outage) -> Result<(), StoreError> {
        self.check_writable()?;
        catalog::put_outage(&self.connection, self.sensor_id(sensor)?, outage)
    }

    fn coverage(&self, sensor: &str) -> Result<Coverage, StoreError> {
        let (id, settings) = catalog::sensor(&self.connection, sensor)?;
        capture_rows::coverage(&self.connection, id, &settings)
    }

    fn captures(&self, sensor: &str) -> Result<Vec<CaptureRecord>, StoreError> {
        capture_rows::captures(&self.connection, self.sensor_id(sensor)?)
    }

    fn is_removable(&self, sensor: &str, content: &[u8; 32]) -> Result<bool, StoreError> {
        let merged = capture_rows::is_merged(&self.connection, self.sensor_id(sensor)?, content)?;
        merged.map(|merged| !merged).ok_or_else(|| StoreError::UnknownCapture(sensor.to_owned()))
    }

    fn rollback_point(&self, sensor: &str) -> Result<Option<RollbackPoint>, StoreError> {
        capture_rows::rollback_point(&self.connection, self.sensor_id(sensor)?)
    }

    fn remove_capture(
        &mut self,
        sensor: &str,
        content: &[u8; 32],
        reopened: Option<ReopenedWindows>,
    ) -> Result<(), StoreError> {
        self.delete_capture(sensor, content, reopened)
    }

    fn drop_days(&mut self, sensor: &str, days: (Date, Date)) -> Result<(), StoreError> {
        self.delete_days(sensor, days)
    }

    fn has_capture(&self, sensor: &str, content: &[u8; 32]) -> Result<bool, StoreError> {
        capture_rows::has_capture(&self.connection, self.sensor_id(sensor)?, content)
    }

    fn engine_state(&self, sensor: &str) -> Result<EngineState, StoreError> {
        capture_rows::engine_state(&self.connection, self.sensor_id(sensor)?)
    }

    fn batch_writer(
        &mut self,
        sensor: &str,
        mark_names: &[String],
    ) -> Result<Option<Box<dyn BatchWriter>>, StoreError> {
        let sensor = catalog::sensor(&self.connection, sensor)?.1;
        Ok(Some(Box::new(self.capture_writer(&sensor, mark_names)?)))
    }

    fn ingest(&mut self, sensor: &str, contribution: Contribution) -> Result<bool, StoreError> {
        self.store_capture(sensor, contribution)
    }

    fn series(&self, sensor: &str, selections: &[BehaviorFilter]) -> Result<Vec<Vec<DayCount>>, StoreError> {
        let (_, source) = self.sensor_reader(sensor)?;
        let one = |selection: &BehaviorFilter| {
            let types = self.types_of_behavior(selection)?;
            match types[..] {
                [_] if !selection.facets => types::series_of_type(&source, &types),
                _ => types::series_of_types(&source, &types, selection.facets),
            }
        };
        selections.iter().map(one).collect()
    }

    fn totals(&self, sensor: &str) -> Result<Vec<DayTotal>, StoreError> {
        self.totals_of_days(sensor, None)
    }

    fn each_sighting(
        &self,
        sensor: &str,
        filter: &Filter<'_>,
        sink: &mut dyn FnMut(&Sighting),
    ) -> Result<(), StoreError> {
        let (_, source) = self.sensor_reader(sensor)?;
        let types = self.types_of_filter(filter)?;
        source.each_sighting(&RowFilter::from_filter(filter, types.as_deref()), &mut |sighting| {
            sink(sighting);
            Ok(())
        })
    }

    fn each_daily_count(
        &self,
        sensor: &str,
        filter: &Filter<'_>,
        sink: &mut dyn FnMut(&DailyCount),
    ) -> Result<(), StoreError> {
        let (_, source) = self.sensor_reader(sensor)?;
        let types = self.types_of_filter(filter)?;
        source.each_daily_count(&RowFilter::from_filter(filter, types.as_deref()), &mut |count| {
            sink(count);
            Ok(())
        })
    }

    fn each_hourly_count(
        &self,
        sensor: &str,
        filter: &Filter<'_>,
        sink: &mut dyn FnMut(&HourlyCount),
    ) -> Result<(), StoreError> {
        refuse_sources(filter)?;
        let (_, source) = self.sensor_reader(sensor)?;
        let types = self.types_of_filter(filter)?;
        source.each_hourly_count(&RowFilter::from_filter(filter, types.as_deref()), &mut |count| {
            sink(count);
            Ok(())
        })
    }

    fn mark_names(&self) -> Result<Vec<String>, StoreError> {
        catalog::mark_names(&self.connection)
    }

    fn type_record(&self, number: u64) -> Result<TypeRecord, StoreError> {
        type_rows::type_record(&self.connection, &self.profile, number)
    }

    fn signature(&self, number: u64) -> Result<ProbeSignature, StoreError> {
        signature_rows::signature(&self.connection, number)
    }

    fn each_parameters(&self, numbers: &[u64], sink: ParametersSink<'_>) -> Result<(), StoreError> {
        let _held = self.read_guard()?;
        type_rows::each_parameters(&self.connection, numbers, sink)
    }

    fn hosts(&self, sensor: &str, selection: &BehaviorFilter, most: usize) -> Result<HostList, StoreError> {
        let (_, source) = self.sensor_reader(sensor)?;
        let types = self.types_of_behavior(selection)?;
        types::hosts(&source, &self.mark_names()?, (&types, selection.facets), most)
    }

    fn types_of_services(
        &self,
        sensor: &str,
        services: &[ServiceQuery],
        most: usize,
    ) -> Result<Vec<Vec<TypeTotal>>, StoreError> {
        let (_, source) = self.sensor_reader(sensor)?;
        let lists = types::types_by_service(&self.connection, services)?;
        let lists: Vec<types::TypeNumbers<'_>> =
            lists.iter().map(|types| (types.as_slice(), false)).collect();
        types::type_totals(&source, &|number| self.type_record(number), &lists, most)
    }

    fn behavior_summaries(
        &self,
        sensor: &str,
        selections: &[BehaviorFilter],
        most: usize,
    ) -> Result<Vec<BehaviorSummary>, StoreError> {
        let (_, source) = self.sensor_reader(sensor)?;
        let types = selections
            .iter()
            .map(|selection| self.types_of_behavior(selection))
            .collect::<Result<Vec<_>, _>>()?;
        let lists: Vec<types::TypeNumbers<'_>> =
            types.iter().zip(selections).map(|(types, one)| (types.as_slice(), one.facets)).collect();
        types::behavior_summaries(
            &source,
            &|number| self.type_record(number),
            &self.mark_names()?,
            &lists,
            most,
        )
    }

    fn types(
        &self,
        sensor: &str,
        selection: &BehaviorFilter,
        most: usize,
    ) -> Result<Vec<TypeTotal>, StoreError> {
        let (_, source) = self.sensor_reader(sensor)?;
        let types = self.types_of_behavior(selection)?;
        let lists = [(types.as_slice(), selection.facets)];
        let totals = types::type_totals(&source, &|number| self.type_record(number), &lists, most)?;
        Ok(totals.into_iter().flatten().collect())
    }

    fn example(&self, sensor: &str, behavior: BehaviorId) -> Result<Option<Example>, StoreError> {
        let number = behavior.number();
        let (_, source) = self.sensor_reader(sensor)?;
        let found = source.examples(&[number])?.remove(&number);
        match found {
            Some(example) if self.type_record(number)?.behavior.id == behavior => {
                Ok(Some(example.into_example(behavior)))
            }
            _ => Ok(None),
        }
    }

    fn put_sample(&mut self, sample: &KeptSample) -> Result<(), StoreError> {
        self.check_writable()?;
        catalog::put_sample(&self.connection, sample)
    }

    fn remove_sample(&mut self, id: &str) -> Result<bool, StoreError> {
        self.check_writable()?;
        Ok(self.connection.execute("DELETE FROM sample WHERE id = ?1", [id])? > 0)
    }

    fn samples(&self) -> Result<Vec<KeptSample>, StoreError> {
        catalog::samples(&self.connection)
    }

    fn put_family_renames(&mut self, renames: &FamilyRenames) -> Result<(), StoreError> {
        self.check_writable()?;
        catalog::put_family_renames(&self.connection, renames)
    }

    fn family_renames(&self) -> Result<FamilyRenames, StoreError> {
        catalog::family_renames(&self.connection)
    }
}
